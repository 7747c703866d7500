import type { WriterTarget } from "../../test/e2e/support/writers.ts";

/** Something that keeps PostgreSQL available, and what happens to it. Every event returns at once when it has happened. */
export interface PeerSystem extends AsyncDisposable {
  readonly name: string;
  readonly target: WriterTarget;
  /** One statement where writes go. */
  sql(statement: string): Promise<string>;
  /** Until every member streams again; repairs what the operator would have to repair. */
  becomeWhole(): Promise<void>;
  /** The operator's own command for a planned change of the leader. */
  switchOver(): Promise<void>;
  killPostgres(): Promise<void>;
  loseMachine(): Promise<void>;
}
