import { z } from "zod";
import { type Cluster, clusterStatusSchema } from "../cluster/cluster.ts";
import { type ClusterSpec, clusterSpecSchema } from "../cluster/spec.ts";
import { backupIdSchema, clusterIdSchema, operationIdSchema } from "../ids.ts";
import type { Backup } from "./backup.ts";
import { byInstant, daysAfter } from "./instant.ts";
import { forkSchema } from "./timeline.ts";

/** How far the archive of a cluster reaches, by the word of its last leader. */
export const archiveEndSchema = z.object({
  at: z.iso.datetime(),
  timeline: z.int().min(1),
  lsn: z.string(),
  forks: z.array(forkSchema),
});
export type ArchiveEnd = z.infer<typeof archiveEndSchema>;

/** What is kept of a cluster that was deleted: what makes its backups a cluster again. */
export const deletedClusterSchema = z.object({
  id: clusterIdSchema,
  name: z.string(),
  spec: clusterSpecSchema,
  generation: z.int().min(1),
  deletedAt: z.iso.datetime(),
  /** Its backups are kept up to then. */
  keptUntil: z.iso.datetime(),
  hasBackups: z.boolean(),
  /** Backups of files alone bring the cluster back; a logical one is restored into a new cluster. */
  hasFiles: z.boolean().default(true),
  /** Every commit up to then is in the archive; null: nobody knows. */
  archivedUntil: z.iso.datetime().nullable(),
  archiveEnd: archiveEndSchema.nullable(),
  /** Its data is being removed: nobody may begin to read it any more. */
  isRemoving: z.boolean(),
});
export type DeletedCluster = z.infer<typeof deletedClusterSchema>;

/** `Operation.request` of a delete. */
export const deleteRequestSchema = z.object({
  /** The final backup, and the operation that takes it; null: there is none. */
  finalBackup: z
    .object({ backupId: backupIdSchema, operationId: operationIdSchema })
    .nullable()
    .default(null),
  /** What the cluster goes back to where it is not deleted after all. */
  before: z.object({ status: clusterStatusSchema, statusReason: z.string() }).nullable().default(null),
});

/** `Operation.result` of a delete: how far the archive reaches after the final backup. */
export const deleteResultSchema = z.object({
  archiveEnd: archiveEndSchema.nullable().default(null),
});

/** Why a delete takes a final backup, takes none, or cannot be begun. */
export type FinalBackup =
  | { readonly kind: "take" }
  | { readonly kind: "none"; readonly because: string }
  | { readonly kind: "impossible"; readonly because: string };

const withoutIt = "or say ?finalBackup=false, and what was written since the last backup is lost";

export function finalBackupOf(
  { nodes, spec, status }: Pick<Cluster, "nodes" | "spec" | "status">,
  isAsked: boolean,
): FinalBackup {
  if (!isAsked) return { kind: "none", because: "There is no final backup: it was not asked for." };
  if (status === "failed" || nodes.length === 0) {
    return {
      kind: "none",
      because: "There is no final backup: the cluster has failed, and is no more than what is left of it.",
    };
  }
  if (spec.backup.retainAfterDeleteDays === 0) {
    return {
      kind: "none",
      because: "There is no final backup: backup.retainAfterDeleteDays is 0, so it would be removed at once.",
    };
  }
  if (status === "stopped" || status === "stopping") {
    return {
      kind: "impossible",
      because: `it is ${status}, and nobody can take a backup: start it first, ${withoutIt}`,
    };
  }
  return { kind: "take" };
}

/** What a delete whose final backup failed says. */
export const finalBackupFailed = (reason: string): string =>
  `the final backup could not be taken: ${reason.replace(/\.$/, "")}. Nothing was removed. Mend the cluster and delete it again, ${withoutIt}`;

export const keptUntil = (deletedAt: string, { backup }: Pick<ClusterSpec, "backup">): string =>
  daysAfter(deletedAt, backup.retainAfterDeleteDays);

type Stored = Pick<Backup, "engine" | "label" | "state">;

/** What a cluster that goes leaves: backups of its files, logical ones alone, or nothing. */
export function whatIsStored(backups: readonly Stored[]): "files" | "logical" | "nothing" {
  const stored = backups.filter(({ label }) => label !== null);
  if (stored.some(({ engine, state }) => engine === "pgbackrest" && state === "succeeded")) return "files";
  return stored.length > 0 ? "logical" : "nothing";
}

/** The record of a cluster that goes now. What was kept of it before, when it was deleted the first time, counts on. */
export function deletedCluster(
  cluster: Pick<Cluster, "id" | "name" | "spec" | "generation" | "status">,
  known: {
    readonly deletedAt: string;
    readonly backups: readonly Stored[];
    readonly archivedUntil: string | null;
    readonly archiveEnd: ArchiveEnd | null;
    readonly before: DeletedCluster | null;
    /** It failed to be brought back: it never had WAL of its own. */
    readonly isUnborn: boolean;
  },
): DeletedCluster {
  const { archiveEnd, archivedUntil, backups, before, deletedAt, isUnborn } = known;
  if (isUnborn && before !== null) return { ...before, isRemoving: false };
  const { generation, id, name, spec } = cluster;
  const stored = whatIsStored(backups);
  const hasBackups = stored !== "nothing";
  return {
    id,
    name,
    spec,
    generation,
    deletedAt,
    keptUntil: hasBackups ? keptUntil(deletedAt, spec) : deletedAt,
    hasBackups,
    hasFiles: stored === "files",
    archivedUntil: archiveEnd?.at ?? archivedUntil,
    archiveEnd,
    isRemoving: false,
  };
}

/** Whether the time for which its backups are kept is over. */
export function isTimeOver({ keptUntil: until }: Pick<DeletedCluster, "keptUntil">, now: string): boolean {
  return byInstant(until, now) <= 0;
}

/** Whether somebody can still restore from what is kept. */
export function isKept(deleted: DeletedCluster, now: string): boolean {
  return deleted.hasBackups && !deleted.isRemoving && !isTimeOver(deleted, now);
}

/** What is kept of a deleted cluster until when, for those who ask for the cluster. */
export function keptText(deleted: DeletedCluster, now: string): string {
  const { deletedAt, hasFiles, id, keptUntil: until } = deleted;
  if (!isKept(deleted, now)) return `It was deleted at ${deletedAt}, and nothing is kept of its data.`;
  return hasFiles
    ? `It was deleted at ${deletedAt}. Its backups are kept until ${until}: POST /v1/clusters/${id}/undelete brings it back until then.`
    : `It was deleted at ${deletedAt}. Its logical backups are kept until ${until}, and nothing else: POST /v1/clusters/${id}/restore loads a database of one into a new cluster until then.`;
}
