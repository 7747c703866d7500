import { backupRequestSchema } from "@pgherd/layers/domain";
import { CommandError } from "@pgherd/layers/ports";
import { pointOfNoReturn, step, type Workflow, workflowHandler } from "@pgherd/layers/runtime/workflow";
import { readBackup } from "./backup-cluster/acts.ts";
import { type BackupDeadlines, backupDeadlines } from "./backup-cluster/deadlines.ts";
import { expireArchive, removeFromRepository } from "./backup-cluster/retention.ts";
import type { ClusterScope } from "./create-cluster/records.ts";
import { type ClusterPorts, openPorts } from "./ports.ts";
import { NoLeaderError } from "./shards.ts";

/** A delete has no way back, so it is patient. */
const attemptsMax = 8;

/** First from the repository, then from the record: what is on record and is not there would be relied on. */
export function deleteBackupWorkflow(deadlines: BackupDeadlines = backupDeadlines): Workflow<ClusterPorts> {
  return {
    kind: "delete-backup",
    attemptsMax,
    chapters: [
      pointOfNoReturn,
      step("repository", (scope) => fromRepository(scope, deadlines)),
      step("archive", (scope) => fromArchive(scope, deadlines)),
      step("record", fromRecord),
    ],
    statusAt: () => null,
  };
}

async function fromRepository(scope: ClusterScope, deadlines: BackupDeadlines): Promise<string> {
  const backup = await readBackup(scope);
  await removeFromRepository(scope, backup, deadlines);
  return backup.label ?? "It never got there.";
}

/** The backup is gone: WAL that stays for now goes with the next one. */
async function fromArchive(scope: ClusterScope, deadlines: BackupDeadlines): Promise<string> {
  const { engine, label, shard } = await readBackup(scope);
  if (engine === "pg_dump") return "It has no WAL.";
  if (label === null) return "There is none of it.";
  try {
    await expireArchive(scope, shard, deadlines);
    return "WAL is kept from the first full backup on.";
  } catch (error) {
    if (!(error instanceof CommandError || error instanceof NoLeaderError)) throw error;
    return `WAL stays until the next backup: ${error.message}`;
  }
}

/** By its id alone: whoever repeats this finds nothing any more. */
async function fromRecord({ clusterId, ports, request }: ClusterScope): Promise<void> {
  const { backupId } = backupRequestSchema.parse(request);
  await ports.store.removeBackup(clusterId, backupId);
}

export const handler = workflowHandler(deleteBackupWorkflow(), openPorts);
