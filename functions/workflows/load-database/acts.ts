import { type LoadAct, type LoadRequest, loadCourseSchema, loadRequestSchema } from "@pgherd/layers/domain";
import { type LoadStanding, repositoryOf } from "@pgherd/layers/domain/node";
import { CommandError } from "@pgherd/layers/ports";
import type { BackupDeadlines } from "../backup-cluster/deadlines.ts";
import { coursesOf } from "../course.ts";
import { type ClusterScope, readCluster, readNode } from "../create-cluster/records.ts";
import { permitSource } from "../identity.ts";
import { once, pauseBefore, watch, withoutAWord } from "../node-work.ts";
import { findLeader, runningNodes, runOn } from "../shards.ts";

type Act<K extends LoadAct["kind"]> = Extract<LoadAct, { kind: K }>;

/** The only one that there is yet. */
export const shard = 0;

export const { read: readCourse, write: writeCourse } = coursesOf(loadCourseSchema);

const requestOf = ({ request }: ClusterScope): LoadRequest => loadRequestSchema.parse(request);

export function inputOf(scope: ClusterScope, nodeId: string) {
  const { clusterId, operationId, ports } = scope;
  const { name, source, store = null } = requestOf(scope);
  const repository = repositoryOf(ports, { clusterId: source.clusterId, store }, source.shard);
  return { clusterId, nodeId, operationId, load: { source, name }, repository };
}

/** Who is told is written first: whoever takes over asks that node, and tells no other one as well. */
export async function load(
  scope: ClusterScope,
  { attempt, nodeId }: Act<"load">,
  { pauseMs, shortSeconds }: BackupDeadlines,
): Promise<string> {
  const { node } = await readNode(scope, nodeId);
  // IAM may take some seconds to tell the others: an attempt that comes too early is one of some.
  await permitSource(scope);
  await pauseBefore(attempt, pauseMs);
  await writeCourse(scope, { attempts: attempt, nodeId, attempt: "begun" });
  try {
    await runOn(scope, node, "load-database", `load.${attempt}`, shortSeconds, inputOf(scope, nodeId));
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    await writeCourse(scope, { attempt: "ended", message: error.message });
    return `It does not begin: ${error.message}`;
  }
  return `Database "${requestOf(scope).name}" is loaded.`;
}

export function watchLoad(
  scope: ClusterScope,
  { nodeId }: Act<"watch">,
  step: string,
  deadlines: BackupDeadlines,
): Promise<string> {
  return watch<LoadStanding>(scope, step, deadlines, {
    look: () => look(scope, nodeId, deadlines),
    conclude: (standing, isLost) =>
      conclude(scope, standing, isLost ? `${nodeId} gives no answer any more` : null),
  });
}

/** Null: the node does not answer. */
async function look(
  scope: ClusterScope,
  nodeId: string,
  { shortSeconds }: BackupDeadlines,
): Promise<LoadStanding | null> {
  const { nodes } = await readCluster(scope);
  const node = runningNodes(nodes).find((one) => one.id === nodeId);
  if (node === undefined) return null;
  try {
    const input = inputOf(scope, nodeId);
    return await runOn(scope, node, "load-standing", once("standing"), shortSeconds, input);
  } catch (error) {
    // A PostgreSQL that does not answer for a moment says nothing about what it loads.
    if (error instanceof CommandError) return null;
    throw error;
  }
}

/** Null: it goes on. @param lost why nothing more is heard of it */
async function conclude(
  scope: ClusterScope,
  standing: LoadStanding | null,
  lost: string | null,
): Promise<string | null> {
  if (standing?.state === "done") {
    await writeCourse(scope, { attempt: "done" });
    return "It is loaded.";
  }
  if (standing?.state === "running" || (standing === null && lost === null)) return null;
  const why = lost ?? standing?.message ?? withoutAWord;
  await writeCourse(scope, { attempt: "ended", message: why, isFinal: standing?.isFinal ?? false });
  return `It came to nothing: ${why}`;
}

/** What is loaded stays; what was there for the loading alone goes. */
export async function settle(
  scope: ClusterScope,
  nodeId: string,
  { shortSeconds }: BackupDeadlines,
): Promise<string> {
  const { node } = await readNode(scope, nodeId);
  try {
    await runOn(scope, node, "end-load", once("end"), shortSeconds, inputOf(scope, nodeId));
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return `It is tried again: ${error.message}`;
  }
  await writeCourse(scope, { isSettled: true });
  return `Nothing is loaded on ${nodeId} any more.`;
}

/** Whoever was told last may be at it still, and who leads now has what it left. */
export async function stop(scope: ClusterScope, { shortSeconds }: BackupDeadlines): Promise<string> {
  const { nodeId } = await readCourse(scope);
  if (nodeId === null) return "It had not begun.";
  const leader = await findLeader(scope, shard);
  const silent: string[] = [];
  for (const id of new Set([nodeId, leader?.id ?? nodeId])) {
    const { node } = await readNode(scope, id);
    try {
      await runOn(scope, node, "end-load", once("stop"), shortSeconds, inputOf(scope, id));
    } catch (error) {
      // A node that is away loads nothing, or the leader would be another one.
      if (!(error instanceof CommandError)) throw error;
      silent.push(id);
    }
  }
  return silent.length === 0 ? "Nothing is loaded any more." : `${silent.join(", ")} gave no answer.`;
}
