/** How long each kind of change may take; each stays well below what one invocation has. */
export interface ConvergeDeadlines {
  readonly instanceSeconds: number;
  readonly agentSeconds: number;
  readonly prepareSeconds: number;
  readonly configureSeconds: number;
  readonly memberSeconds: number;
  readonly dcsSeconds: number;
  readonly drainSeconds: number;
  readonly shutDownSeconds: number;
  readonly restartSeconds: number;
  readonly shortSeconds: number;
}

export const convergeDeadlines: ConvergeDeadlines = {
  /** EC2 takes 10-60 s to a running instance. */
  instanceSeconds: 240,
  /** The agent of a baked image registers within a minute of boot. */
  agentSeconds: 240,
  prepareSeconds: 120,
  /** A pooler that leaves may first have to be drained. */
  configureSeconds: 120,
  /** A clone that takes longer is looked at again, and again. */
  memberSeconds: 240,
  /** A learner copies a few hundred kilobytes. */
  dcsSeconds: 90,
  /** Transactions that are longer are cut off. */
  drainSeconds: 60,
  /** A shutdown checkpoint on a slow disk. */
  shutDownSeconds: 120,
  restartSeconds: 180,
  /** Whatever only takes a few round trips. */
  shortSeconds: 30,
};
