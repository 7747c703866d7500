/** How long the parts of a backup may take, and how often somebody looks. */
export interface BackupDeadlines {
  readonly prepareSeconds: number;
  /** Verbs that only ask, start or stop something. */
  readonly shortSeconds: number;
  readonly deleteSeconds: number;
  /** One durable step copies for so long; what is left is waited for in the next one. */
  readonly sliceMs: number;
  readonly lookMs: number;
  /** Before the second try; it doubles with each. */
  readonly pauseMs: number;
  /** A node that says nothing for so long is given up, and another one takes the backup. */
  readonly silenceMs: number;
  /** Somebody who can take the backup is waited for. */
  readonly nobodyMs: number;
}

export const backupDeadlines: BackupDeadlines = {
  prepareSeconds: 120,
  shortSeconds: 90,
  deleteSeconds: 330,
  sliceMs: 300_000,
  lookMs: 2_000,
  pauseMs: 5_000,
  silenceMs: 120_000,
  nobodyMs: 300_000,
};
