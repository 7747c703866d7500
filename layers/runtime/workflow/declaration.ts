import type { ClusterStatus } from "../../domain/cluster/cluster.ts";
import type { Operation, OperationKind } from "../../domain/operation/operation.ts";
import type { Failure } from "./failure.ts";

/**
 * What a workflow is made of. Acts and undos are given ids alone and read the rest: a repetition, or an undo in
 * another process than the act's, must not depend on what an earlier one had in memory.
 */
export interface Scope<Ports> {
  readonly operationId: string;
  readonly clusterId: string;
  /** The cluster's nodes and their zones as they were when the workflow began. */
  readonly nodes: readonly { readonly id: string; readonly zone: string }[];
  readonly ports: Ports;
  /** What the operation's call asked for beside the spec. */
  readonly request: NonNullable<Operation["request"]>;
  /** What an earlier single step's act said, as it was recorded. For acts; an undo must do without. */
  readonly said: (step: string) => string | null;
}

/** What a finished act says in the operation's step; nothing is fine. */
// biome-ignore lint/suspicious/noConfusingVoidType: an act that has nothing to say returns nothing
type Detail = string | void;

export type Act<Ports> = (scope: Scope<Ports>) => Promise<Detail>;
export type NodeAct<Ports> = (scope: Scope<Ports>, nodeId: string) => Promise<Detail>;
/** Finds nothing to undo where nothing was done. `earlier`: what other undos failed at. */
export type Undo<Ports> = (scope: Scope<Ports>, earlier: readonly Failure[]) => Promise<void>;
export type NodeUndo<Ports> = (scope: Scope<Ports>, nodeId: string) => Promise<void>;

export interface Step<Ports> {
  readonly kind: "step";
  readonly name: string;
  readonly act: Act<Ports>;
  readonly undo: Undo<Ports> | null;
  /** Instead of the workflow's own. */
  readonly attemptsMax?: number;
}

export interface NodeStep<Ports> {
  readonly kind: "each-node";
  readonly name: string;
  readonly act: NodeAct<Ports>;
  readonly undo: NodeUndo<Ports> | null;
}

export interface Together<Ports> {
  readonly kind: "together";
  readonly steps: readonly (Step<Ports> | NodeStep<Ports>)[];
}

export interface PointOfNoReturn {
  readonly kind: "point-of-no-return";
}

export type Chapter<Ports> = Step<Ports> | NodeStep<Ports> | Together<Ports> | PointOfNoReturn;

/** How an operation ended, for the workflow's own last words. */
export type Ending =
  | { readonly state: "succeeded" }
  | {
      readonly state: "failed" | "cancelled";
      readonly code: string;
      readonly message: string;
      /** It had passed its point of no return. */
      readonly isPastReturn: boolean;
    };

/** The table of contents of an operation: it reads as the life of the thing, from top to bottom. */
export interface Workflow<Ports> {
  readonly kind: OperationKind;
  readonly chapters: readonly Chapter<Ports>[];
  /** The cluster's status at the end; null where the cluster is gone. `request`: what the operation was asked for. */
  readonly statusAt: (
    ending: Ending,
    request: NonNullable<Operation["request"]>,
  ) => { readonly status: ClusterStatus; readonly statusReason: string } | null;
  /** Writes down what came of it, before it has ended; called again where that was interrupted. */
  readonly atEnd?: (scope: Scope<Ports>, ending: Ending) => Promise<void>;
  /**
   * What is done stays done: nothing is undone, a cancel takes effect before the next chapter (up to the point of no
   * return, if there is one), and an execution that takes another's place does everything again, which changes
   * nothing where it was done.
   */
  readonly isForwardOnly?: true;
  /** What is said of it once it is undone: a sentence, and what holds of things that could not be, as a clause. */
  readonly unwound?: { readonly undone: string; readonly left: string };
  /** Tries of an act that fails for a reason that passes (throttling, a broken connection). */
  readonly attemptsMax: number;
}

/** One act. Its undo stands beside it and is registered before the act begins. */
export function step<Ports>(name: string, act: Act<Ports>, undo: Undo<Ports> | null = null): Step<Ports> {
  return { kind: "step", name, act, undo };
}

/** One act that waits for something long, a part of it in each of its tries. */
export function longStep<Ports>(name: string, attemptsMax: number, act: Act<Ports>): Step<Ports> {
  return { ...step(name, act), attemptsMax };
}

/** The same act on every node, at the same time. */
export function eachNode<Ports>(
  name: string,
  act: NodeAct<Ports>,
  undo: NodeUndo<Ports> | null = null,
): NodeStep<Ports> {
  return { kind: "each-node", name, act, undo };
}

/** Steps that do not need each other run at the same time, and so do their undos. */
export function together<Ports>(...steps: readonly (Step<Ports> | NodeStep<Ports>)[]): Together<Ports> {
  return { kind: "together", steps };
}

/** From here on the workflow goes forward only: no cancel, no undo. */
export const pointOfNoReturn: PointOfNoReturn = { kind: "point-of-no-return" };

export function stepsOf<Ports>(chapter: Chapter<Ports>): readonly (Step<Ports> | NodeStep<Ports>)[] {
  switch (chapter.kind) {
    case "point-of-no-return":
      return [];
    case "together":
      return chapter.steps;
    case "step":
    case "each-node":
      return [chapter];
  }
}
