/** How long a look at restored data is waited for in one step, and how often somebody looks. */
export interface CheckDeadlines {
  readonly shortSeconds: number;
  /** What is left is waited for in the next try of the step. */
  readonly sliceMs: number;
  readonly lookMs: number;
}

export const checkDeadlines: CheckDeadlines = { shortSeconds: 60, sliceMs: 300_000, lookMs: 2_000 };
