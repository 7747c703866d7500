import { z } from "zod";
import { type BackupStore, backupStoreSchema } from "../backup/store.ts";
import { repositoryPrefix } from "../cluster/names.ts";
import type { EnvironmentSettings } from "../environment.ts";

/** Where pgBackRest keeps backups and WAL of one shard, and logical backups are beside them. */
export const repositorySchema = z.strictObject({
  bucket: z.string(),
  region: z.string(),
  prefix: z.string().regex(/^\/(?:pgherd\/[a-z0-9-]{1,32}\/)?clusters\/clu_[0-9A-Z]{26}\/\d+$/),
  /** A store of somebody else's; left out: the environment's bucket, with the node's own role. */
  store: backupStoreSchema.pick({ endpoint: true, pathStyle: true, credentialsParameter: true }).optional(),
});
export type Repository = z.infer<typeof repositorySchema>;

/** The one place where it is decided which repository a shard has. */
export function repositoryOf(
  { region, settings }: { readonly region: string; readonly settings: EnvironmentSettings },
  { clusterId, store }: { readonly clusterId: string; readonly store: BackupStore | null },
  shard: number,
): Repository {
  const prefix = repositoryPrefix({ environment: settings.environment, clusterId, store }, shard);
  if (store === null) return { bucket: settings.backups.bucket, region, prefix };
  const { bucket, region: storeRegion, ...others } = store;
  return { bucket, region: storeRegion, prefix, store: others };
}
