import type { DurableContext } from "@aws/durable-execution-sdk-js";
import {
  endedStates,
  type Operation,
  type OperationState,
  type OperationStep,
} from "../../domain/operation/operation.ts";
import { newId } from "../ids.ts";
import { type Chapter, type Ending, stepsOf, type Workflow } from "./declaration.ts";
import { type Failure, isPassing, sentenceOf } from "./failure.ts";
import { type Forward, goForward, type Run, unwind, type WorkflowPorts } from "./run.ts";
import type { Mark } from "./turn.ts";

interface Input {
  readonly operationId: string;
  readonly clusterId: string;
  readonly recovery?: { readonly attempt: number; readonly reason: string } | undefined;
}

/** What the first durable step finds, kept for the whole execution. */
interface Opening {
  readonly request: NonNullable<Operation["request"]>;
  readonly nodes: readonly { id: string; zone: string }[];
  readonly isOver: boolean;
  /** Everything before the point of no return is done. */
  readonly isCommitted: boolean;
}

/** Steps outside the chapters (opening, end) are tried this often. */
const attemptsMax = 8;
/** Pauses between those tries grow to this. */
const pauseSecondsMax = 20;

const patient = {
  retryStrategy: (error: Error, attempts: number) => ({
    shouldRetry: isPassing(error) && attempts < attemptsMax,
    delay: { seconds: Math.min(2 ** (attempts - 1), pauseSecondsMax) },
  }),
};

/** One operation from its opening to its end: forward, and backward where forward did not work. */
export async function conduct<Ports extends WorkflowPorts>(
  context: DurableContext,
  workflow: Workflow<Ports>,
  input: Input,
  ports: Ports,
): Promise<{ state: OperationState | "over" }> {
  const opening = await context.step("open", () => open(workflow, input, ports), patient);
  if (opening.isOver) return { state: "over" };
  const { operationId, clusterId } = input;
  const details = new Map<string, string>();
  const said = (step: string): string | null => details.get(step) ?? null;
  const scope = { operationId, clusterId, nodes: opening.nodes, request: opening.request, ports, said };
  const run: Run<Ports> = { context, workflow, scope, details };
  const forward = await forwardOf(run, input, opening);
  if (forward.stop === null) return end(run, { state: "succeeded" }, forward.marks);
  const undone = canUnwind(workflow) ? await unwind(run, forward) : { failures: [], marks: forward.marks };
  return end(run, endingOf(workflow, forward.stop, undone.failures), undone.marks);
}

async function open<Ports extends WorkflowPorts>(
  workflow: Workflow<Ports>,
  input: Input,
  ports: Ports,
): Promise<Opening> {
  const names = workflow.chapters.flatMap(stepsOf).map((step) => step.name);
  const operation = await ports.store.getOperation(input.operationId);
  if (operation === null || endedStates.includes(operation.state)) {
    return { nodes: [], request: {}, isOver: true, isCommitted: false };
  }
  const [cluster] = await Promise.all([
    ports.store.getCluster(input.clusterId),
    ports.store.markOperationRunning(input.operationId, names),
  ]);
  const { before } = split(workflow);
  const states = new Map(operation.steps.map((step) => [step.name, step.state]));
  const isCommitted = before.flatMap(stepsOf).every((step) => states.get(step.name) === "succeeded");
  const nodes = (cluster?.nodes ?? []).map(({ id, zone }) => ({ id, zone }));
  return { nodes, request: operation.request ?? {}, isOver: false, isCommitted };
}

/** An execution that takes another's place unwinds what the other may have begun, unless it was past its point of no return. */
async function forwardOf<Ports extends WorkflowPorts>(
  run: Run<Ports>,
  input: Input,
  opening: Opening,
): Promise<Forward<Ports>> {
  const { before, after } = split(run.workflow);
  const { chapters, isForwardOnly } = run.workflow;
  if (input.recovery === undefined || isForwardOnly === true) return goForward(run, chapters);
  if (opening.isCommitted) return goForward(run, after);
  const failure: Failure = {
    step: "execution",
    nodeId: null,
    code: "execution-lost",
    message: input.recovery.reason,
  };
  return { begun: before, stop: { why: "failed", failure }, marks: [] };
}

/** Without a point of no return, everything can be undone. */
function split<Ports>(workflow: Workflow<Ports>): {
  before: readonly Chapter<Ports>[];
  after: readonly Chapter<Ports>[];
} {
  const { chapters } = workflow;
  const point = chapters.findIndex((chapter) => chapter.kind === "point-of-no-return");
  return point < 0
    ? { before: chapters, after: [] }
    : { before: chapters.slice(0, point), after: chapters.slice(point + 1) };
}

/** A workflow that passes its point of no return first never unwinds. */
const canUnwind = <Ports>(workflow: Workflow<Ports>): boolean =>
  workflow.isForwardOnly !== true && split(workflow).before.length > 0;

function endingOf<Ports>(
  workflow: Workflow<Ports>,
  stop: NonNullable<Forward<Ports>["stop"]>,
  failures: readonly Failure[],
): Ending {
  const why =
    stop.why === "cancelled"
      ? "The operation was cancelled."
      : `The step "${stop.failure.step}" failed${stop.failure.nodeId === null ? "" : ` on node ${stop.failure.nodeId}`}: ${sentence(stop.failure.message)}`;
  return {
    state: stop.why,
    code: stop.why === "cancelled" ? "cancelled" : stop.failure.code,
    message: `${why} ${undoReport(workflow, failures)}`,
  };
}

function undoReport<Ports>(workflow: Workflow<Ports>, failures: readonly Failure[]): string {
  if (!canUnwind(workflow)) return "Nothing was undone; starting the same again goes on from here.";
  if (failures.length === 0) return "Everything that it had made was removed.";
  return `Undoing failed at ${failures.length === 1 ? "one thing" : `${failures.length} things`}, which are still there until the cluster is deleted: ${failures.map(sentenceOf).join("; ")}.`;
}

const sentence = (message: string): string => (/[.!?]$/.test(message) ? message : `${message}.`);

/** Writes the end once: time and id of the audit entry are decided in a step of their own. */
async function end<Ports extends WorkflowPorts>(
  run: Run<Ports>,
  ending: Ending,
  marks: readonly Mark[],
): Promise<{ state: OperationState }> {
  const { context, scope, workflow } = run;
  const { store } = scope.ports;
  const { endedAt, auditId } = await context.step(
    "decide the end",
    async () => ({ endedAt: new Date().toISOString(), auditId: newId("audit") }),
    patient,
  );
  await context.step(
    "end",
    async () => {
      const operation = await store.getOperation(scope.operationId);
      const steps = operation?.steps ?? [];
      const left = steps.filter((step) => marks.every((mark) => mark.name !== step.name)).flatMap(leftOver);
      await Promise.all(
        [...marks, ...left].map((mark) => {
          const known = steps.find((step) => step.name === mark.name);
          const detail = mark.detail ?? known?.detail;
          return store.updateStep(scope.operationId, {
            name: mark.name,
            state: mark.state,
            startedAt: known?.startedAt ?? null,
            endedAt: mark.endedAt,
            ...(detail === undefined ? {} : { detail }),
          });
        }),
      );
      await store.putAuditEntry({
        id: auditId,
        clusterId: scope.clusterId,
        at: endedAt,
        action: `${workflow.kind}-${ending.state}`,
        principal: "pgherd",
        role: "system",
        sourceAddress: "",
        requestId: "",
        operationId: scope.operationId,
        detail: ending.state === "succeeded" ? "" : ending.message,
      });
      const cluster = workflow.statusAt(ending);
      await store.endOperation(scope.operationId, {
        state: ending.state,
        endedAt,
        ...(ending.state === "succeeded" ? {} : { error: { code: ending.code, message: ending.message } }),
        ...(cluster === null ? {} : { cluster }),
      });
    },
    patient,
  );
  return { state: ending.state };
}

/** Steps that nobody came to, and those that an execution was at when it was lost. */
function leftOver(step: OperationStep): Mark[] {
  const mark = { name: step.name, endedAt: null, detail: null };
  switch (step.state) {
    case "pending":
      return [{ ...mark, state: "skipped" }];
    case "running":
      return [{ ...mark, state: "failed", detail: "It was lost with its execution." }];
    case "undoing":
      return [{ ...mark, state: "undo-failed" }];
    case "succeeded":
    case "failed":
    case "undone":
    case "undo-failed":
    case "skipped":
      return [];
  }
}
