import type { WriterTarget } from "../../test/e2e/support/writers.ts";

/** A way in to the leader that the system offers to clients. */
export interface WayIn {
  readonly name: string;
  readonly target: WriterTarget;
}

/** Something that keeps PostgreSQL available, and what happens to it. Every act returns at once when it has happened. */
export interface PeerSystem {
  readonly name: string;
  /** Measured at the same time, by the same acts. */
  readonly ways: readonly WayIn[];
  /** One statement where writes go. */
  sql(statement: string): Promise<string>;
  /** Until every member streams again; repairs what the operator would have to repair. */
  becomeWhole(): Promise<void>;
  /** The operator's own command for a planned change of the leader. */
  switchOver(): Promise<unknown>;
  killPostgres(): Promise<void>;
  loseMachine(): Promise<void>;
}

export interface Act {
  readonly name: string;
  readonly happen: (system: PeerSystem) => Promise<unknown>;
}

export const acts = {
  planned: { name: "planned change", happen: (system) => system.switchOver() },
  killed: { name: "PostgreSQL killed", happen: (system) => system.killPostgres() },
  lost: { name: "machine lost", happen: (system) => system.loseMachine() },
} as const satisfies Record<string, Act>;
