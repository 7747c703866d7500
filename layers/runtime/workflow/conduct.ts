import type { DurableContext } from "@aws/durable-execution-sdk-js";
import { endedStates, type Operation, type OperationState } from "../../domain/operation/operation.ts";
import { type Chapter, type Ending, stepsOf, type Workflow } from "./declaration.ts";
import { end, patient, sentence } from "./end.ts";
import { type Failure, sentenceOf } from "./failure.ts";
import { type Forward, goForward, type Run, unwind, type WorkflowPorts } from "./run.ts";

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
  if (forward.stop === null) return end({ ...run, ...workflow }, { state: "succeeded" }, forward.marks);
  if (!canUnwind(workflow) || forward.isPastReturn) {
    return end({ ...run, ...workflow }, endingOf(forward, wentForward), forward.marks);
  }
  const undone = await unwind(run, forward);
  const report = undoReport(workflow, undone.failures);
  return end({ ...run, ...workflow }, endingOf(forward, report), undone.marks);
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
  const nodes = (cluster?.nodes ?? []).map(({ id, zone }) => ({ id, zone }));
  return {
    nodes,
    request: operation.request ?? {},
    isOver: false,
    isCommitted: hasPassed(workflow, operation),
  };
}

/** With a cancel in between, what is done before the point says nothing: only what was begun after it does. */
function hasPassed<Ports>(workflow: Workflow<Ports>, { cancelRequested, steps }: Operation): boolean {
  const { after, before } = split(workflow);
  const states = new Map(steps.map((step) => [step.name, step.state]));
  if (!before.flatMap(stepsOf).every(({ name }) => states.get(name) === "succeeded")) return false;
  const isBegun = after.flatMap(stepsOf).some(({ name }) => (states.get(name) ?? "pending") !== "pending");
  return after.length === 0 || isBegun || !cancelRequested;
}

/** An execution that takes another's place unwinds what the other may have begun, unless it was past its point of no return. */
async function forwardOf<Ports extends WorkflowPorts>(
  run: Run<Ports>,
  input: Input,
  opening: Opening,
): Promise<Forward<Ports>> {
  const { before, after } = split(run.workflow);
  const { chapters, isForwardOnly } = run.workflow;
  if (isForwardOnly === true) return goForward(run, chapters, before.length > 0 && opening.isCommitted);
  if (input.recovery === undefined) return goForward(run, chapters);
  if (opening.isCommitted) return goForward(run, after, true);
  const failure: Failure = {
    step: "execution",
    nodeId: null,
    code: "execution-lost",
    message: input.recovery.reason,
  };
  return { begun: before, stop: { why: "failed", failure }, marks: [], isPastReturn: false };
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

function endingOf<Ports>({ isPastReturn, stop }: Forward<Ports>, report: string): Ending {
  if (stop === null) return { state: "succeeded" };
  const why =
    stop.why === "cancelled"
      ? "The operation was cancelled."
      : `The step "${stop.failure.step}" failed${stop.failure.nodeId === null ? "" : ` on node ${stop.failure.nodeId}`}: ${sentence(stop.failure.message)}`;
  return {
    state: stop.why,
    code: stop.why === "cancelled" ? "cancelled" : stop.failure.code,
    message: `${why} ${report}`,
    isPastReturn,
  };
}

const wentForward = "Nothing was undone; starting the same again goes on from here.";

function undoReport<Ports>(workflow: Workflow<Ports>, failures: readonly Failure[]): string {
  const { undone, left } = workflow.unwound ?? removals;
  if (failures.length === 0) return undone;
  return `Undoing failed at ${failures.length === 1 ? "one thing" : `${failures.length} things`}, ${left}: ${failures.map(sentenceOf).join("; ")}.`;
}

const removals = {
  undone: "Everything that it had made was removed.",
  left: "which are still there until the cluster is deleted",
};
