import type { Caller } from "./service.ts";

/** One call of an AWS service, without secret values. */
export interface RecordedCall {
  readonly at: string;
  readonly requestId: string;
  readonly service: string;
  readonly action: string;
  readonly callerArn: string;
  readonly roleName: string | null;
  readonly input: unknown;
  /** Null: the call succeeded. */
  readonly errorCode: string | null;
  readonly durationMs: number;
}

/** Enough for some hundred cluster lives; the oldest go first. */
const callsMax = 20_000;
/** Long texts say nothing about which resource was meant. */
const textCharactersMax = 512;

/** Never recorded: contents and secrets, as CloudTrail leaves them out. */
const hiddenFields: ReadonlySet<string> = new Set([
  "Value",
  "Payload",
  "Updates",
  "UserData",
  "Result",
  "Error",
  "CheckpointToken",
]);

/** The calls made to the endpoints, newest last, for tests and for people who look for what happened. */
export class Recorder {
  #calls: RecordedCall[] = [];

  record(call: {
    requestId: string;
    service: string;
    action: string;
    caller: Caller;
    input: unknown;
    errorCode: string | null;
    durationMs: number;
  }): void {
    const { caller, ...rest } = call;
    this.#calls.push({
      ...rest,
      at: new Date().toISOString(),
      callerArn: caller.arn,
      roleName: caller.roleName,
      input: withoutSecrets(call.input),
    });
    if (this.#calls.length > callsMax * 1.1) this.#calls = this.#calls.slice(-callsMax);
  }

  list(filter: { service?: string; action?: string } = {}): readonly RecordedCall[] {
    return this.#calls.filter(
      (call) =>
        (filter.service === undefined || call.service === filter.service) &&
        (filter.action === undefined || call.action === filter.action),
    );
  }

  clear(): void {
    this.#calls = [];
  }
}

function withoutSecrets(value: unknown): unknown {
  if (typeof value === "string") {
    return value.length > textCharactersMax ? `${value.slice(0, textCharactersMax)}…` : value;
  }
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [
      name,
      hiddenFields.has(name) ? "(not recorded)" : withoutSecrets(field),
    ]),
  );
}
