import { type VerificationCourse, whoTakes } from "@pgherd/layers/domain";
import type { VerificationStanding } from "@pgherd/layers/domain/node";
import { CommandError } from "@pgherd/layers/ports";
import { type ClusterScope, readCluster, readNode } from "../create-cluster/records.ts";
import { once, withoutAWord } from "../node-work.ts";
import { isSilence, NoLeaderError, observeShard, patiently, runOn } from "../shards.ts";
import { isCancelled, stillAtWork } from "../still-at-work.ts";
import { readCourse, VerificationError, writeCourse } from "./records.ts";

/** How long what is stored is waited for in one step, and how often somebody looks. */
export interface VerifyDeadlines {
  readonly shortSeconds: number;
  /** What is left is waited for in the next try of the step. */
  readonly sliceMs: number;
  readonly lookMs: number;
  /** A node that says nothing for so long is given up, and another one reads. */
  readonly silenceMs: number;
  /** Somebody who can read is waited for. */
  readonly nobodyMs: number;
}

export const verifyDeadlines: VerifyDeadlines = {
  shortSeconds: 60,
  sliceMs: 300_000,
  lookMs: 2_000,
  silenceMs: 120_000,
  nobodyMs: 300_000,
};

/** What the step is called. */
export const verifyStep = "verify";

/** Somewhere else, if there is somebody: what made one come to nothing may have passed. */
const beginningsMax = 4;
const shard = 0;

/** Looks until everything is read, or the slice is over. */
export async function verify(scope: ClusterScope, deadlines: VerifyDeadlines): Promise<string> {
  const { lookMs, silenceMs, sliceMs } = deadlines;
  const deadline = Date.now() + sliceMs;
  let heardAt = Date.now();
  for (;;) {
    if (await isCancelled(scope)) return stop(scope, deadlines);
    const course = await readCourse(scope);
    if (course.found !== null) return "Everything that is stored was read.";
    const { nodeId } = course;
    const standing =
      nodeId === null ? await begin(scope, course, deadlines) : await look(scope, nodeId, deadlines);
    if (standing !== null) heardAt = Date.now();
    const isLost = Date.now() - heardAt > silenceMs;
    await conclude(scope, standing, isLost ? `${nodeId} gives no answer any more` : null);
    if (Date.now() > deadline) throw await stillAtWork(scope, verifyStep, "A node reads what is stored.");
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}

/** Who reads is written first: whoever takes over asks that node, and tells no other one as well. */
async function begin(
  scope: ClusterScope,
  { beginnings, message }: VerificationCourse,
  { lookMs, nobodyMs, shortSeconds }: VerifyDeadlines,
): Promise<VerificationStanding | null> {
  if (beginnings >= beginningsMax) {
    throw new VerificationError(
      `${beginnings} tries came to nothing, the last one with: ${message ?? "no reason"}`,
    );
  }
  const nodeId = await patiently(nobodyMs, lookMs, () => whoReads(scope, beginnings));
  await writeCourse(scope, { nodeId, beginnings: beginnings + 1 });
  return tell(scope, nodeId, "verify-repository", shortSeconds);
}

/** A replica where there is one: what is read goes through its processors and its network. */
async function whoReads(scope: ClusterScope, attempts: number): Promise<string> {
  const [{ spec }, { members }] = await Promise.all([readCluster(scope), observeShard(scope, shard)]);
  const terms = { engine: "pgbackrest", membersWanted: spec.members } as const;
  const nodeId = whoTakes(members, { attempts, nodeId: null }, terms);
  if (nodeId === null) throw new NoLeaderError("no member of the shard can read what is stored");
  return nodeId;
}

const look = (scope: ClusterScope, nodeId: string, { shortSeconds }: VerifyDeadlines) =>
  tell(scope, nodeId, "verification-standing", shortSeconds);

/** Null: the node does not answer. */
async function tell(
  scope: ClusterScope,
  nodeId: string,
  verb: "verify-repository" | "verification-standing",
  seconds: number,
): Promise<VerificationStanding | null> {
  const { clusterId, operationId } = scope;
  try {
    const { node } = await readNode(scope, nodeId);
    return await runOn(scope, node, verb, once(verb), seconds, { clusterId, nodeId, operationId });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return isSilence(error) ? null : { state: "failed", message: error.message, found: null };
  }
}

async function conclude(
  scope: ClusterScope,
  standing: VerificationStanding | null,
  lost: string | null,
): Promise<void> {
  if (standing?.state === "running") return;
  if (standing?.state === "done") {
    await writeCourse(scope, { found: standing.found, message: standing.message });
    return;
  }
  if (standing === null && lost === null) return;
  await writeCourse(scope, { nodeId: null, message: lost ?? standing?.message ?? withoutAWord });
}

/** A node that is away reads nothing, or something that nobody asks for. */
async function stop(scope: ClusterScope, { shortSeconds }: VerifyDeadlines): Promise<string> {
  const { nodeId } = await readCourse(scope);
  if (nodeId === null) return "It had not begun.";
  const { clusterId, operationId } = scope;
  try {
    const { node } = await readNode(scope, nodeId);
    const input = { clusterId, nodeId, operationId };
    await runOn(scope, node, "stop-verification", once("stop"), shortSeconds, input);
  } catch (error) {
    if (!isSilence(error)) throw error;
  }
  return "It is cancelled.";
}
