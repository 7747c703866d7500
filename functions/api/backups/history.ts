import {
  type ArchiveEnd,
  type Backup,
  type Cluster,
  formatLsn,
  type History,
  knownPoint,
  Problem,
  parseWal,
  pointsOf,
  type RestoreTarget,
  restoreWindow,
  segmentBytesOf,
  segmentStart,
} from "@pgherd/layers/domain";
import type { ArchiveState } from "@pgherd/layers/domain/node";
import { CommandError } from "@pgherd/layers/ports";
import { errorFields, newId } from "@pgherd/layers/runtime";
import type { ApiContext } from "../context.ts";
import type { Source } from "./source.ts";

const positionSeconds = 10;

/** What is known of a cluster's past, as far as the target is concerned. */
export async function historyOf(
  context: ApiContext,
  source: Source,
  target: RestoreTarget,
): Promise<History> {
  const { repositories, store } = context;
  const place = { clusterId: source.id, shard: 0, store: source.spec.backup.store };
  const [backups, health, starts, restorePoints, state] = await Promise.all([
    store.allBackups(source.id),
    store.readHealth(source.id),
    repositories.timelines(place),
    pointsFor(context, source, target),
    source.cluster === null ? null : stateOf(context, source.cluster),
  ]);
  const end = source.deleted?.archiveEnd ?? null;
  const archivedUntil = source.deleted === null ? health.archivedUntil : source.deleted.archivedUntil;
  return {
    backups,
    window: restoreWindow(backups, archivedUntil),
    archivedLsn: archivedLsn(state, end, backups),
    present: state,
    forks: state?.forks ?? end?.forks ?? [],
    starts,
    restorePoints,
  };
}

/** The one that is meant: others are of no interest. */
async function pointsFor(
  { store }: ApiContext,
  { cluster, id }: Source,
  target: RestoreTarget,
): Promise<History["restorePoints"]> {
  if (typeof target === "string" || !("name" in target)) return [];
  const made = pointsOf(cluster?.branches ?? []).filter(({ name }) => name === target.name);
  if (made.length > 0) return made;
  const point = await store.findRestorePoint(id, target.name);
  const known = point === null ? null : knownPoint(point);
  return known === null ? [] : [known];
}

function archivedLsn(
  state: ArchiveState | null,
  end: ArchiveEnd | null,
  backups: readonly Backup[],
): string | null {
  if (state === null) return end?.lsn ?? null;
  const segmentBytes = segmentBytesOf(backups);
  // The last thing that was archived can be a timeline's history.
  const last = state.lastArchivedWal === null ? null : parseWal(state.lastArchivedWal, segmentBytes);
  if (last === null || last.timeline !== state.timeline) return null;
  return formatLsn(segmentStart(last.number + 1, segmentBytes));
}

/** What only the leader knows. A cluster that is broken or away can be restored without it: PostgreSQL checks it again. */
async function stateOf(
  { commands, log, observer }: ApiContext,
  cluster: Cluster,
): Promise<ArchiveState | null> {
  try {
    const leader = (await observer.observe(cluster)).shards[0]?.leader;
    const node = cluster.nodes.find((one) => one.id === leader);
    if (node === undefined || node.instanceId === null) return null;
    return await commands.run(
      {
        instanceId: node.instanceId,
        operationId: newId("operation"),
        step: "archive-state",
        deadlineSeconds: positionSeconds,
      },
      "archive-state",
      { clusterId: cluster.id, nodeId: node.id },
    );
  } catch (error) {
    if (!(error instanceof Problem || error instanceof CommandError)) throw error;
    log("info", "a restore is checked without the leader", { clusterId: cluster.id, ...errorFields(error) });
    return null;
  }
}
