import type { DurableContext } from "@aws/durable-execution-sdk-js";
import type { EnvironmentSettings } from "../../domain/environment.ts";
import type { Store } from "../../ports/store.ts";
import { type Chapter, type Scope, stepsOf, type Workflow } from "./declaration.ts";
import type { Failure } from "./failure.ts";
import { type Outcome, runAll, type Task } from "./tasks.ts";
import { type Mark, marksOf, turn } from "./turn.ts";

/** What every workflow needs, whatever else its acts need. */
export interface WorkflowPorts {
  readonly settings: Pick<EnvironmentSettings, "environment">;
  readonly store: Store;
}

export interface Run<Ports extends WorkflowPorts> {
  readonly context: DurableContext;
  readonly workflow: Workflow<Ports>;
  readonly scope: Scope<Ports>;
  /** Step → what its act said; filled while going forward, from recorded outcomes alone. */
  readonly details: Map<string, string>;
}

/** What going forward came to. `begun`: chapters whose undo is due when it did not come to its end. */
export interface Forward<Ports> {
  readonly begun: readonly Chapter<Ports>[];
  readonly stop: { readonly why: "cancelled" } | { readonly why: "failed"; readonly failure: Failure } | null;
  /** What is still to be written about the last chapter's steps. */
  readonly marks: readonly Mark[];
  /** It got past its point of no return: nothing is undone any more. */
  readonly isPastReturn: boolean;
}

/**
 * Carries out the chapters in their order. A chapter counts as begun (its undo as registered) in the same checkpoint
 * that marks its steps as running, before any of its acts. The first one begins even where a cancel came before it:
 * it takes over what the operation's call wrote, so that its undo gives that back.
 * @param isCommitted an execution before this one has passed the point of no return
 */
export async function goForward<Ports extends WorkflowPorts>(
  run: Run<Ports>,
  chapters: readonly Chapter<Ports>[],
  isCommitted = false,
): Promise<Forward<Ports>> {
  const begun: Chapter<Ports>[] = [];
  let marks: readonly Mark[] = [];
  const isForwardOnly = run.workflow.isForwardOnly === true;
  const point = chapters.findIndex((chapter) => chapter.kind === "point-of-no-return");
  let isPastReturn = isCommitted || point === 0;
  let isCancellable = !isPastReturn && (point > 0 || isForwardOnly);
  for (const chapter of chapters) {
    if (chapter.kind === "point-of-no-return" && !isCancellable) continue;
    const steps = stepsOf(chapter);
    const label = steps.map((step) => step.name).join(" + ") || chapter.kind;
    const { isCancelled } = await turn(run, `begin ${label}`, marks, {
      running: steps.map((step) => step.name),
      isCancellable: isCancellable && (begun.length > 0 || isForwardOnly),
    });
    marks = [];
    if (isCancelled) return { begun, stop: { why: "cancelled" }, marks, isPastReturn };
    if (chapter.kind === "point-of-no-return") {
      isPastReturn = true;
      isCancellable = false;
      continue;
    }
    begun.push(chapter);
    const outcomes = await runAll(run.context, label, tasksOf(run, chapter));
    for (const outcome of outcomes) {
      if (outcome.ok && outcome.nodeId === null) run.details.set(outcome.step, outcome.detail ?? "");
    }
    marks = marksOf(steps, outcomes, { good: "succeeded", bad: "failed" });
    const failure = firstFailure(outcomes);
    if (failure !== null) return { begun, stop: { why: "failed", failure }, marks, isPastReturn };
  }
  return { begun, stop: null, marks, isPastReturn };
}

function tasksOf<Ports extends WorkflowPorts>(run: Run<Ports>, chapter: Chapter<Ports>): Task[] {
  const { scope, workflow } = run;
  const { attemptsMax: usual } = workflow;
  return stepsOf(chapter).flatMap((step): Task[] => {
    if (step.kind === "step") {
      const work = () => step.act(scope);
      const { attemptsMax = usual } = step;
      return [{ name: step.name, step: step.name, nodeId: null, work, attemptsMax, retries: "passing" }];
    }
    return scope.nodes.map(({ id: nodeId }) => ({
      name: `${step.name} ${nodeId}`,
      step: step.name,
      nodeId,
      work: () => step.act(scope, nodeId),
      attemptsMax: usual,
      retries: "passing",
    }));
  });
}

/** Tries of one undo. What stays is named in the operation's error and removed by a delete. */
const undoAttemptsMax = 3;

/** Undoes chapters, the last begun first. Goes on after a failure: what can be removed is removed. */
export async function unwind<Ports extends WorkflowPorts>(
  run: Run<Ports>,
  forward: Forward<Ports>,
): Promise<{ failures: readonly Failure[]; marks: readonly Mark[] }> {
  const failures: Failure[] = [];
  let marks = forward.marks;
  for (const chapter of forward.begun.toReversed()) {
    const steps = stepsOf(chapter).filter((step) => step.undo !== null);
    if (steps.length === 0) continue;
    const label = steps.map((step) => step.name).join(" + ");
    const names = steps.map((step) => step.name);
    await turn(run, `undo ${label}`, marks, { undoing: names, isCancellable: false });
    const outcomes = await runAll(run.context, `undo ${label}`, undoTasksOf(run, chapter, [...failures]));
    marks = marksOf(steps, outcomes, { good: "undone", bad: "undo-failed" });
    failures.push(...outcomes.flatMap((outcome) => (outcome.ok ? [] : [outcome.failure])));
  }
  return { failures, marks };
}

function undoTasksOf<Ports extends WorkflowPorts>(
  run: Run<Ports>,
  chapter: Chapter<Ports>,
  earlier: readonly Failure[],
): Task[] {
  const common = { attemptsMax: undoAttemptsMax, retries: "everything" } as const;
  return stepsOf(chapter).flatMap((step): Task[] => {
    if (step.kind === "step") {
      const { undo } = step;
      if (undo === null) return [];
      const work = () => undo(run.scope, earlier);
      return [{ name: `undo ${step.name}`, step: step.name, nodeId: null, work, ...common }];
    }
    const { undo } = step;
    if (undo === null) return [];
    return run.scope.nodes.map(({ id: nodeId }) => ({
      name: `undo ${step.name} ${nodeId}`,
      step: step.name,
      nodeId,
      work: () => undo(run.scope, nodeId),
      ...common,
    }));
  });
}

function firstFailure(outcomes: readonly Outcome[]): Failure | null {
  for (const outcome of outcomes) if (!outcome.ok) return outcome.failure;
  return null;
}
