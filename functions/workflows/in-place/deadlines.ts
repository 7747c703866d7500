import { type CreateDeadlines, createDeadlines } from "../create-cluster/deadlines.ts";

/** How long the parts of an exchange of data may take. Each act stays below what a step may take. */
export interface InPlaceDeadlines extends CreateDeadlines {
  /** Verbs that look, rename, or start something. */
  readonly shortSeconds: number;
  /** Transactions that run are waited for so long; those that take longer are cut off with PostgreSQL. */
  readonly transactionSeconds: number;
  readonly preserveSeconds: number;
  readonly stopSeconds: number;
  /** One look at a restore, which may be the one at its end. */
  readonly lookSeconds: number;
  readonly leadSeconds: number;
  readonly putBackSeconds: number;
  /** Whoever puts data back waits for a node that is just restarting. */
  readonly returnSeconds: number;
  readonly dropSeconds: number;
  /** Past the point of no return, a node that refuses is asked again for so long. */
  readonly insistMs: number;
  /** One durable step waits so long for a restore; what is left is waited for in the next try of it. */
  readonly sliceMs: number;
  readonly lookMs: number;
}

export const inPlaceDeadlines: InPlaceDeadlines = {
  ...createDeadlines,
  shortSeconds: 45,
  transactionSeconds: 10,
  preserveSeconds: 120,
  stopSeconds: 240,
  lookSeconds: 90,
  leadSeconds: 90,
  putBackSeconds: 240,
  returnSeconds: 60,
  dropSeconds: 240,
  insistMs: 90_000,
  sliceMs: 120_000,
  lookMs: 2_000,
};
