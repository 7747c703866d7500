import type { CallListener } from "../../permissions/watch.ts";
import type { Collection, Documents } from "../../state/documents.ts";
import type { Recorder } from "../recorder.ts";
import { type Caller, type Service, ServiceError } from "../service.ts";
import { parseCron } from "./cron.ts";
import { type ScheduleRecord, Schedules } from "./schedules.ts";

export interface SchedulerOptions {
  readonly documents: Documents;
  readonly region: string;
  readonly account: string;
  /** Puts the call into the function's queue, which keeps it until it is delivered. */
  readonly invoke: (target: string, payload: string) => Promise<unknown>;
  /** Hears of what schedules call, with their role. */
  readonly recorder?: Recorder;
  readonly onCall?: CallListener;
  readonly onError?: (error: unknown) => void;
}

const minuteMs = 60_000;
/** A schedule fires within this time of its minute. */
const lookMs = 1_000;
const clockId = "clock";

/** EventBridge Scheduler: schedules that start functions, to the minute. */
export class SchedulerService implements Service {
  readonly name = "scheduler";
  readonly #schedules: Schedules;
  readonly #clock: Collection<{ readonly checkedUntil: number }>;
  readonly #options: SchedulerOptions;
  readonly #onError: (error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | null = null;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#onError = options.onError ?? (() => undefined);
    this.#schedules = new Schedules(options);
    this.#clock = options.documents.collection("scheduler-clock");
  }

  /** `AWS::Scheduler::ScheduleGroup` of the template. @returns its ARN */
  ensureGroup(name: string): string {
    return this.#schedules.ensureGroup(name);
  }

  deleteGroup(name: string): void {
    this.#schedules.deleteGroup(name);
  }

  /** A role of the template that trusts the scheduler. */
  letAssume(roleArn: string): void {
    this.#schedules.letAssume(roleArn);
  }

  async call(
    action: string,
    input: Readonly<Record<string, unknown>>,
    _caller: Caller,
  ): Promise<Record<string, unknown>> {
    const act = this.#schedules.actions[action];
    if (act === undefined) {
      throw new ServiceError(
        "UnknownOperationException",
        `The operation ${action} does not exist here.`,
        404,
      );
    }
    return act(input);
  }

  /** From now on schedules fire; what came due while nobody looked fires once, unless it is too old by then. */
  start(): void {
    const look = (): void => {
      this.#looking ??= this.look(Date.now())
        .catch(this.#onError)
        .finally(() => {
          this.#looking = null;
        });
    };
    look();
    this.#timer = setInterval(look, lookMs);
    this.#timer.unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  /**
   * Fires what has come due since the last look. The moment of the look is kept after the calls are in their queue:
   * whoever is killed in between fires again, as AWS says that it may.
   */
  async look(now: number): Promise<void> {
    const until = Math.floor(now / minuteMs) * minuteMs;
    const from = this.#clock.get(clockId)?.checkedUntil ?? until;
    if (from >= until) {
      if (this.#clock.get(clockId) === undefined) this.#clock.put(clockId, { checkedUntil: until });
      return;
    }
    for (const schedule of this.#schedules.list()) {
      const due = schedule.state === "ENABLED" ? lastDue(schedule, from, until) : null;
      if (due !== null) await this.#fire(schedule, due);
    }
    this.#clock.put(clockId, { checkedUntil: until });
  }

  async #fire(schedule: ScheduleRecord, due: number): Promise<void> {
    const time = `${new Date(due).toISOString().slice(0, -5)}Z`;
    const payload = (schedule.input ?? "{}")
      .replaceAll("<aws.scheduler.schedule-arn>", this.#schedules.arnOf(schedule))
      .replaceAll("<aws.scheduler.scheduled-time>", time);
    const startedAt = performance.now();
    let errorCode: string | null = null;
    try {
      await this.#options.invoke(schedule.targetArn, payload);
    } catch (error) {
      errorCode = error instanceof ServiceError ? error.code : "InternalError";
      this.#onError(error);
    }
    this.#record(schedule, errorCode, performance.now() - startedAt);
  }

  #record({ name, roleArn, targetArn }: ScheduleRecord, errorCode: string | null, durationMs: number): void {
    const roleName = roleArn.split("/").at(-1) ?? "";
    const call = {
      service: "lambda",
      action: "Invoke",
      caller: {
        accessKeyId: "",
        arn: `arn:aws:sts::${this.#options.account}:assumed-role/${roleName}/${name}`,
        roleName,
      },
      input: { FunctionName: targetArn, InvocationType: "Event" },
      errorCode,
    };
    this.#options.onCall?.(call);
    this.#options.recorder?.record({
      ...call,
      requestId: `${name}-${Date.now()}`,
      durationMs: Math.round(durationMs * 10) / 10,
    });
  }
}

/** The last minute in between at which the schedule, as it is now, came due. */
function lastDue(schedule: ScheduleRecord, from: number, until: number): number | null {
  const cron = parseCron(schedule.expression);
  const oldest = Math.max(from, schedule.modifiedAt, until - schedule.eventAgeSecondsMax * 1000);
  for (let minute = until; minute > oldest; minute -= minuteMs) {
    if (cron.matches(new Date(minute))) return minute;
  }
  return null;
}
