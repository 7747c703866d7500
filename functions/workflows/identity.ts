import { loadRequestSchema, type NodeRights, restoreRequestSchema } from "@pgherd/layers/domain";
import { type ClusterScope, readCluster } from "./create-cluster/records.ts";

/** The role of the cluster's nodes, with what the operation needs of another cluster's backups. */
export async function ensureIdentity(scope: ClusterScope): Promise<void> {
  await scope.ports.identities.ensure({ ...(await ownRights(scope)), source: sourceOf(scope) });
}

/** For an operation on a cluster that is there: another cluster's backups may be read from now on. */
export async function permitSource(scope: ClusterScope): Promise<void> {
  const source = sourceOf(scope);
  if (source !== null) await scope.ports.identities.permit({ ...(await ownRights(scope)), source });
}

/** Once the data is here, no node may read another cluster's backups any more. */
export async function forbidSource(scope: ClusterScope): Promise<string | undefined> {
  const source = sourceOf(scope);
  if (source === null) return undefined;
  await scope.ports.identities.permit(await ownRights(scope));
  return `Backups of ${source.clusterId} can no longer be read.`;
}

async function ownRights(scope: ClusterScope): Promise<NodeRights> {
  const { id, spec } = await readCluster(scope);
  return { clusterId: id, store: spec.backup.store, source: null };
}

/** Null where nothing is restored, and where it is the cluster's own. */
function sourceOf({ clusterId, request }: ClusterScope): NodeRights["source"] {
  const restore = restoreRequestSchema.safeParse(request).data;
  const load = loadRequestSchema.safeParse(request).data;
  const from = restore?.clusterId ?? load?.source.clusterId;
  if (from === undefined || from === clusterId) return null;
  return { clusterId: from, store: restore?.store ?? load?.store ?? null };
}
