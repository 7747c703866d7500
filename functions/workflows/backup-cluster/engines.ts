import {
  asInManifest,
  asInRepository,
  type Backup,
  type BackupEngine,
  type ClusterNode,
  physicalBackupTypeSchema,
} from "@pgherd/layers/domain";
import type { ClusterScope } from "../create-cluster/records.ts";
import { once, type Standing } from "../node-work.ts";
import { requireLeader, runOn } from "../shards.ts";

/** How far the taking of a backup is, whoever takes it. */
export interface BackupStanding extends Standing {
  /** The backup as it is stored, once it is. */
  readonly done: Backup | null;
}

export interface Order {
  readonly backup: Backup;
  readonly node: ClusterNode;
  /** One word, unique in the operation. */
  readonly step: string;
  readonly seconds: number;
}

/** What nodes are told so that a backup is taken. */
export interface Engine {
  take(scope: ClusterScope, order: Order): Promise<void>;
  look(scope: ClusterScope, order: Order): Promise<BackupStanding>;
  stop(scope: ClusterScope, order: Order): Promise<void>;
}

const pgbackrest: Engine = {
  async take(scope, { backup, node, seconds, step }) {
    const type = physicalBackupTypeSchema.parse(backup.type);
    await runOn(scope, node, "take-backup", step, seconds, { ...inputOf(scope, node, backup), type });
  },
  async look(scope, { backup, node, seconds, step }) {
    const input = inputOf(scope, node, backup);
    const { backup: found, ...rest } = await runOn(scope, node, "backup-standing", step, seconds, input);
    return { ...rest, done: found === null ? null : asInRepository(backup, found) };
  },
  async stop(scope, { backup, node, seconds, step }) {
    await runOn(scope, node, "stop-backup", step, seconds, inputOf(scope, node, backup));
  },
};

const inputOf = ({ clusterId }: ClusterScope, { id: nodeId }: ClusterNode, { id: backupId }: Backup) => ({
  clusterId,
  nodeId,
  backupId,
});

const pgDump: Engine = {
  async take(scope, { backup, node, seconds, step }) {
    await runOn(scope, node, "take-logical-backup", step, seconds, logicalInputOf(scope, node, backup));
  },
  async look(scope, { backup, node, seconds, step }) {
    const input = logicalInputOf(scope, node, backup);
    const { backup: facts, ...rest } = await runOn(
      scope,
      node,
      "logical-backup-standing",
      step,
      seconds,
      input,
    );
    return { ...rest, done: facts === null ? null : asInManifest(backup, facts) };
  },
  async stop(scope, { backup, node, seconds, step }) {
    await runOn(scope, node, "stop-logical-backup", step, seconds, logicalInputOf(scope, node, backup));
  },
};

const logicalInputOf = (scope: ClusterScope, node: ClusterNode, backup: Backup) => ({
  ...inputOf(scope, node, backup),
  shard: backup.shard,
});

export const engines: Readonly<Record<BackupEngine, Engine>> = { pgbackrest, pg_dump: pgDump };

/** Everything that is stored of a logical backup, also of one that came to nothing. */
export async function removeLogical(scope: ClusterScope, backup: Backup, seconds: number): Promise<void> {
  // It had not begun.
  if (backup.nodeId === null) return;
  const leader = await requireLeader(scope, backup.shard);
  await runOn(
    scope,
    leader,
    "delete-logical-backup",
    once("delete"),
    seconds,
    logicalInputOf(scope, leader, backup),
  );
}
