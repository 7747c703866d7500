import {
  type DurableContext,
  NestingType,
  type RetryDecision,
  StepError,
} from "@aws/durable-execution-sdk-js";
import { errorFields, log } from "../log.ts";
import { type Failure, failureOf, isPassing } from "./failure.ts";

/** One act or undo: a durable step of its own. */
export interface Task {
  /** Unique in the workflow and always the same: the durable step's name. */
  readonly name: string;
  readonly step: string;
  readonly nodeId: string | null;
  // biome-ignore lint/suspicious/noConfusingVoidType: an act that has nothing to say returns nothing
  readonly work: () => Promise<string | void>;
  readonly attemptsMax: number;
  /** Which failures are worth another try. */
  readonly retries: "passing" | "everything";
}

/** What a task came to, as it is recorded. */
export type Outcome = { readonly step: string; readonly nodeId: string | null; readonly at: string } & (
  | { readonly ok: true; readonly detail: string | null }
  | { readonly ok: false; readonly failure: Failure }
);

/** Runs tasks at the same time and waits for all: whoever unwinds afterwards must not race with one still at work. */
export async function runAll(
  context: DurableContext,
  name: string,
  tasks: readonly Task[],
): Promise<readonly Outcome[]> {
  const [only, ...others] = tasks;
  if (only === undefined) return [];
  if (others.length === 0) return [await runOne(context, only)];
  const batch = await context.parallel<Outcome>(
    name,
    tasks.map((task) => ({ name: task.name, func: (branch) => runOne(branch, task) })),
    { nesting: NestingType.FLAT },
  );
  batch.throwIfError();
  return batch.getResults();
}

/**
 * A final failure is a result: it is recorded as what it is. One that may pass is thrown, so that the durable step
 * tries again after a pause; only when the tries are used up does it come back here as an error.
 */
export async function runOne(context: DurableContext, task: Task): Promise<Outcome> {
  const base = { step: task.step, nodeId: task.nodeId };
  try {
    return await context.step<Outcome>(task.name, () => attempt(task), {
      retryStrategy: (_error, attempts) => retryDecision(attempts, task.attemptsMax),
    });
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    const failure = failureOf(error.cause ?? error, task.step, task.nodeId);
    const at = await context.step<string>(`${task.name}: gave up`, async () => new Date().toISOString());
    return { ...base, at, ok: false, failure };
  }
}

async function attempt(task: Task): Promise<Outcome> {
  const base = { step: task.step, nodeId: task.nodeId };
  try {
    const detail = (await task.work()) ?? null;
    return { ...base, at: new Date().toISOString(), ok: true, detail };
  } catch (error) {
    log("warn", "a step failed", { step: task.name, ...errorFields(error) });
    if (task.retries === "everything" || isPassing(error)) throw error;
    const failure = failureOf(error, task.step, task.nodeId);
    return { ...base, at: new Date().toISOString(), ok: false, failure };
  }
}

/** Pauses grow from one second, the least that a durable step waits, to this. */
const pauseSecondsMax = 30;

function retryDecision(attempts: number, attemptsMax: number): RetryDecision {
  const seconds = Math.min(2 ** (attempts - 1), pauseSecondsMax);
  return { shouldRetry: attempts < attemptsMax, delay: { seconds } };
}
