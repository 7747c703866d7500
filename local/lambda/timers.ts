/** `AWS::Events::Rule` with a rate: calls a function again and again. */
export interface TimerRule {
  readonly name: string;
  readonly everySeconds: number;
  /** The function: name, `name:qualifier` or ARN. */
  readonly target: string;
}

const longestTimerMs = 2 ** 31 - 1;

/** The environment's timers. The first call comes one period after the start, as with EventBridge. */
export class Timers {
  readonly #invoke: (target: string, payload: string) => Promise<unknown>;
  readonly #onError: (error: unknown) => void;
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(options: {
    /** Puts the call into the function's queue. */
    invoke: (target: string, payload: string) => Promise<unknown>;
    onError: (error: unknown) => void;
  }) {
    this.#invoke = options.invoke;
    this.#onError = options.onError;
  }

  /** Starts the rule, or replaces the one of that name. */
  put(rule: TimerRule): void {
    this.delete(rule.name);
    const everyMs = rule.everySeconds * 1000;
    if (!(everyMs > 0 && everyMs <= longestTimerMs)) {
      throw new Error(`the rule ${rule.name} has a rate of ${rule.everySeconds} s`);
    }
    const timer = setInterval(() => this.#fire(rule), everyMs);
    timer.unref();
    this.#timers.set(rule.name, timer);
  }

  delete(name: string): void {
    clearInterval(this.#timers.get(name));
    this.#timers.delete(name);
  }

  close(): void {
    for (const name of [...this.#timers.keys()]) this.delete(name);
  }

  #fire(rule: TimerRule): void {
    const event = {
      version: "0",
      "detail-type": "Scheduled Event",
      source: "aws.events",
      time: new Date().toISOString(),
      resources: [rule.name],
      detail: {},
    };
    this.#invoke(rule.target, JSON.stringify(event)).catch(this.#onError);
  }
}

/** `rate(1 minute)` in seconds. @throws for what this machine does not schedule. */
export function secondsOfRate(expression: string): number {
  const match = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression);
  const seconds = { minute: 60, hour: 3600, day: 86_400 }[match?.[2] ?? ""];
  if (match === null || seconds === undefined) {
    throw new Error(`the schedule ${expression} is not a rate of minutes, hours or days`);
  }
  return Number(match[1]) * seconds;
}
