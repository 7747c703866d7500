import type { DurableContext } from "@aws/durable-execution-sdk-js";
import { endedStates, type Operation, type OperationState } from "../../domain/operation/operation.ts";
import type { Ending, Scope, Workflow } from "./declaration.ts";
import { end, patient, sentence } from "./end.ts";
import { type Failure, failureOf, isPassing } from "./failure.ts";
import type { WorkflowPorts } from "./run.ts";
import { type Outcome, runOne } from "./tasks.ts";
import { type Mark, marksOf, turn } from "./turn.ts";

/**
 * An operation that looks, plans one change, carries it out, and looks again until nothing is left to be done. It goes
 * forward only: whatever ends it early leaves what is done as it is, and the next one goes on from there.
 * A change is recorded with its plan, so it must be small and plain data.
 */
export interface Loop<Ports, Change>
  extends Pick<Workflow<Ports>, "kind" | "statusAt" | "atEnd" | "attemptsMax"> {
  /** Looks and plans. Null: nothing is left. Throws where no change can be made, with the reason. */
  readonly next: (scope: Scope<Ports>, round: number) => Promise<Change | null>;
  /** What the change is called in the operation's steps. */
  readonly nameOf: (change: Change) => string;
  /** Carries a change out, also one that was carried out before in part or whole. `step` is unique in the operation. */
  readonly carryOut: (scope: Scope<Ports>, change: Change, step: string) => Promise<string | undefined>;
  /** Ends what goes on by itself on a node; called where the operation is cancelled, and perhaps again. */
  readonly atCancel?: (scope: Scope<Ports>) => Promise<string | undefined>;
  /** Codes of failures before which everything was taken back: there is nothing left to go on from. */
  readonly takenBack?: readonly string[];
  /** More rounds than any plan needs: whoever gets there goes in circles. */
  readonly roundsMax: number;
}

interface Opening {
  readonly isOver: boolean;
  readonly nodes: readonly { id: string; zone: string }[];
  readonly request: NonNullable<Operation["request"]>;
  /** Steps of executions before this one. */
  readonly stepNames: readonly string[];
}

type Planned<Change> =
  | { readonly ok: true; readonly change: Change | null; readonly at: string }
  | { readonly ok: false; readonly failure: Failure };

interface Course<Ports, Change> {
  readonly context: DurableContext;
  readonly loop: Loop<Ports, Change>;
  readonly scope: Scope<Ports>;
}

/** One operation from its opening to its end, in rounds. Another execution of it simply goes on. */
export async function conductLoop<Ports extends WorkflowPorts, Change>(
  context: DurableContext,
  loop: Loop<Ports, Change>,
  input: { readonly operationId: string; readonly clusterId: string },
  ports: Ports,
): Promise<{ state: OperationState | "over" }> {
  const opening = await context.step("open", () => open(input, ports), patient);
  if (opening.isOver) return { state: "over" };
  const { nodes, request } = opening;
  const said = () => null;
  const scope: Scope<Ports> = { ...input, nodes, ports, request, said };
  const { ending, marks } = await goRound({ context, loop, scope }, opening.stepNames);
  return end({ context, scope, ...loop }, ending, marks);
}

async function open<Ports extends WorkflowPorts>(
  input: { readonly operationId: string; readonly clusterId: string },
  { store }: Ports,
): Promise<Opening> {
  const operation = await store.getOperation(input.operationId);
  if (operation === null || endedStates.includes(operation.state)) {
    return { isOver: true, nodes: [], request: {}, stepNames: [] };
  }
  const [cluster] = await Promise.all([
    store.getCluster(input.clusterId),
    store.markOperationRunning(input.operationId),
  ]);
  return {
    isOver: false,
    nodes: (cluster?.nodes ?? []).map(({ id, zone }) => ({ id, zone })),
    request: operation.request ?? {},
    stepNames: operation.steps.map((step) => step.name),
  };
}

async function goRound<Ports extends WorkflowPorts, Change>(
  course: Course<Ports, Change>,
  known: readonly string[],
): Promise<{ ending: Ending; marks: readonly Mark[] }> {
  const { context, loop, scope } = course;
  const used = new Set(known);
  let marks: readonly Mark[] = [];
  const secondsBefore = pace<Change>();
  for (let round = 1; round <= loop.roundsMax; round += 1) {
    const planned = await plan(course, round);
    if (!planned.ok) return { ending: failed(planned.failure, loop.takenBack), marks };
    const { change } = planned;
    if (change === null) return { ending: { state: "succeeded" }, marks };
    const seconds = secondsBefore(change);
    if (seconds > 0) await context.wait(`breathe ${round}`, { seconds });
    const name = unused(used, loop.nameOf(change));
    const begin = `begin ${round}`;
    const { isCancelled } = await turn(course, begin, marks, { running: [name], isCancellable: true });
    if (isCancelled) return { ending: await cancel(course), marks: [] };
    const outcome = await runOne(context, {
      name: `change ${round}: ${name}`,
      step: name,
      nodeId: null,
      work: () => loop.carryOut(scope, change, name),
      attemptsMax: loop.attemptsMax,
      retries: "passing",
    });
    marks = marksOf([{ name }], [outcome], { good: "succeeded", bad: "failed" });
    const failure = failureIn(outcome);
    if (failure !== null) return { ending: failed(failure), marks };
  }
  return { ending: failed(circles(loop.roundsMax)), marks };
}

async function cancel<Ports extends WorkflowPorts, Change>({
  context,
  loop,
  scope,
}: Course<Ports, Change>): Promise<Ending> {
  const { atCancel } = loop;
  if (atCancel === undefined) return cancelled;
  const outcome = await runOne(context, {
    name: "cancel",
    step: "cancel",
    nodeId: null,
    work: () => atCancel(scope),
    attemptsMax: loop.attemptsMax,
    retries: "passing",
  });
  const failure = failureIn(outcome);
  return failure === null ? cancelled : failed(failure);
}

const breathSeconds = 5;
const breathSecondsMax = 30;

/**
 * How long to wait before a change: not at all, unless it is the one of the round before. Then somebody is too busy to
 * say what has come of it, and asking more would not help.
 */
function pace<Change>(): (change: Change) => number {
  let last = "";
  let repeats = 0;
  return (change) => {
    const text = JSON.stringify(change);
    repeats = text === last ? repeats + 1 : 0;
    last = text;
    return Math.min(breathSeconds * repeats, breathSecondsMax);
  };
}

/** A plan is recorded, so that a crash after it carries out the same change. */
function plan<Ports extends WorkflowPorts, Change>(
  { context, loop, scope }: Course<Ports, Change>,
  round: number,
): Promise<Planned<Change>> {
  return context.step<Planned<Change>>(
    `plan ${round}`,
    async () => {
      try {
        return { ok: true, change: await loop.next(scope, round), at: new Date().toISOString() };
      } catch (error) {
        if (isPassing(error)) throw error;
        return { ok: false, failure: failureOf(error, "plan", null) };
      }
    },
    patient,
  );
}

/** "configure nod_…", and "configure nod_… (2)" for the second time. */
function unused(used: Set<string>, name: string): string {
  let unique = name;
  for (let count = 2; used.has(unique); count += 1) unique = `${name} (${count})`;
  used.add(unique);
  return unique;
}

const failureIn = (outcome: Outcome): Failure | null => (outcome.ok ? null : outcome.failure);

const circles = (rounds: number): Failure => ({
  step: "plan",
  nodeId: null,
  code: "no-progress",
  message: `after ${rounds} changes the cluster is still not what it should be`,
});

const afterwards = "What was done stays done; starting the same again goes on from here.";

const cancelled: Ending = {
  state: "cancelled",
  code: "cancelled",
  message: `The operation was cancelled. ${afterwards}`,
  isPastReturn: false,
};

function failed({ step, code, message }: Failure, takenBack: readonly string[] = []): Ending {
  const told = `${step === "plan" ? "" : `The step "${step}" failed: `}${sentence(message)}`;
  return {
    state: "failed",
    code,
    message: takenBack.includes(code) ? told : `${told} ${afterwards}`,
    isPastReturn: false,
  };
}
