import type { OperationStep } from "../../domain/operation/operation.ts";
import { isPassing, sentenceOf } from "./failure.ts";
import type { Run, WorkflowPorts } from "./run.ts";
import type { Outcome } from "./tasks.ts";

/** What is to be written about a step that ended. */
export interface Mark {
  readonly name: string;
  readonly state: "succeeded" | "failed" | "undone" | "undo-failed" | "skipped";
  readonly endedAt: string | null;
  readonly detail: string | null;
}

/** An invocation with less time than this left starts no further step: the longest step may take so long. */
const timeLeftMsMin = 6 * 60 * 1000;
/** Writing a step's state is tried this often: without it nobody sees what happens. */
const attemptsMax = 5;
/** The shortest pause that a durable wait knows; a fresh invocation goes on after it. */
const breather = { seconds: 1 } as const;

/**
 * The moment between two chapters: writes how the last one ended and that the next begins, and reads whether someone
 * asked to cancel. One durable step, so that both are decided once, whatever crashes.
 */
export async function turn<Ports extends WorkflowPorts>(
  run: Pick<Run<Ports>, "context" | "scope">,
  name: string,
  ended: readonly Mark[],
  next: {
    readonly running?: readonly string[];
    readonly undoing?: readonly string[];
    readonly isCancellable: boolean;
  },
): Promise<{ isCancelled: boolean }> {
  const { context, scope } = run;
  const { store } = scope.ports;
  const decided = await context.step(
    name,
    async () => {
      const before = await store.getOperation(scope.operationId);
      const now = new Date().toISOString();
      const isCancelled = next.isCancellable && before?.cancelRequested === true;
      const startedAt = (step: string): string | null =>
        before?.steps.find((one) => one.name === step)?.startedAt ?? null;
      const begins: OperationStep[] = [
        ...(isCancelled ? [] : (next.running ?? [])).map((step) => stepOf(step, "running", now)),
        ...(next.undoing ?? []).map((step) => stepOf(step, "undoing", startedAt(step))),
      ];
      const ends = ended.map((mark) => {
        const { name, state, endedAt, detail } = mark;
        const step = { ...stepOf(name, state, startedAt(name)), endedAt };
        return detail === null ? withDetail(step, before?.steps ?? []) : { ...step, detail };
      });
      /** In one write: the share of what is done must not fall where a step is appended. */
      const begun = begins.map((step) => withDetail(step, [...ends, ...(before?.steps ?? [])]));
      /** A step can have failed and be about to be undone: the later state comes last. */
      await store.updateSteps(scope.operationId, [...ends, ...begun]);
      const isLate = context.lambdaContext.getRemainingTimeInMillis() < timeLeftMsMin;
      return { isCancelled, isLate };
    },
    {
      retryStrategy: (error, attempts) => ({
        shouldRetry: isPassing(error) && attempts < attemptsMax,
        delay: { seconds: attempts },
      }),
    },
  );
  if (decided.isLate) await context.wait(`${name}: fresh invocation`, breather);
  return decided;
}

function stepOf(name: string, state: OperationStep["state"], startedAt: string | null): OperationStep {
  return { name, state, startedAt, endedAt: null };
}

/** Why a step failed stays readable while and after it is undone. */
function withDetail(step: OperationStep, known: readonly OperationStep[]): OperationStep {
  const detail = known.find((one) => one.name === step.name)?.detail;
  return detail === undefined ? step : { ...step, detail };
}

/** One mark per step from the outcomes of its tasks: a step is as good as its worst task, and ends with its last. */
export function marksOf(
  steps: readonly { readonly name: string }[],
  outcomes: readonly Outcome[],
  words: { readonly good: Mark["state"]; readonly bad: Mark["state"] },
): Mark[] {
  return steps.map(({ name }) => {
    const own = outcomes.filter((outcome) => outcome.step === name);
    const failures = own.flatMap((outcome) => (outcome.ok ? [] : [outcome.failure]));
    const details = own.flatMap((outcome) => (outcome.ok && outcome.detail !== null ? [outcome.detail] : []));
    const failed = failures.map((failure) =>
      sentenceOf(failure)
        .slice(name.length + 1)
        .trim(),
    );
    const detail = (failures.length > 0 ? failed : details).join("; ");
    return {
      name,
      state: failures.length > 0 ? words.bad : words.good,
      endedAt:
        own
          .map((outcome) => outcome.at)
          .toSorted()
          .at(-1) ?? null,
      detail: detail === "" ? null : detail,
    };
  });
}
