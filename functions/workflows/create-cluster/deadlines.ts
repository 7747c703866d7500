/** How long each part of a create may take. Together they stay below what one invocation has, for each step alone. */
export interface CreateDeadlines {
  readonly instanceSeconds: number;
  readonly agentSeconds: number;
  readonly prepareSeconds: number;
  readonly configureSeconds: number;
  readonly membersSeconds: number;
  readonly databaseSeconds: number;
  readonly archiveSeconds: number;
  readonly verifySeconds: number;
  /** A leader of the cluster that data comes from is waited for, where one is needed. */
  readonly sourceMs: number;
}

export const createDeadlines: CreateDeadlines = {
  /** EC2 takes 10-60 s to a running instance. */
  instanceSeconds: 240,
  /** The agent of a baked image registers within a minute of boot. */
  agentSeconds: 240,
  /** Finding, formatting and mounting a volume, fetching the node program. */
  prepareSeconds: 120,
  /** Writing files and starting services. */
  configureSeconds: 120,
  /** initdb, election and base backups of an empty database; slow disks take minutes. */
  membersSeconds: 240,
  databaseSeconds: 90,
  /** A stanza in the repository, and the first WAL segments on their way there. */
  archiveSeconds: 120,
  verifySeconds: 90,
  /** As long as a failover may take. */
  sourceMs: 60_000,
};
