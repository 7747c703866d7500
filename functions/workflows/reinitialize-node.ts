import { reinitializeCourseSchema, reinitializeRequestSchema } from "@pgherd/layers/domain";
import type { Observation } from "@pgherd/layers/domain/node";
import { type Loop, loopHandler } from "@pgherd/layers/runtime/workflow";
import { coursesOf } from "./course.ts";
import { type ClusterScope, readCluster, readNode } from "./create-cluster/records.ts";
import { type ClusterPorts, openPorts } from "./ports.ts";
import { isSilence, observeShard, runningNodes, runOn } from "./shards.ts";

/** With growing pauses these tries span about a minute. */
const attemptsMax = 6;
/** Patroni ends what it is at before it begins. */
const beginSeconds = 60;
/** One durable step waits this long; a clone that takes longer is waited for in the next one. */
const sliceSeconds = 300;
/** Twelve hours: several TiB from a leader that has other things to do. */
const slicesMax = 144;
/** Between two looks at the clone. */
const lookMsDefault = 3_000;
const inspectSeconds = 15;

const { read: readCourse, write: writeCourse } = coursesOf(reinitializeCourseSchema);

type Change = { readonly kind: "reinitialize" | "clone" };

/** Has a replica's data removed and cloned again, and waits until it streams. */
export function reinitializeLoop(lookMs = lookMsDefault): Loop<ClusterPorts, Change> {
  return {
    kind: "reinitialize-node",
    attemptsMax,
    roundsMax: slicesMax,
    next: async (scope) => {
      const { begun } = await readCourse(scope);
      if (!begun) return { kind: "reinitialize" };
      return (await stateOf(scope)) === "streaming" ? null : { kind: "clone" };
    },
    nameOf: ({ kind }) => kind,
    carryOut: (scope, { kind }, step) =>
      kind === "reinitialize" ? begin(scope) : clone(scope, step, lookMs),
    statusAt: (ending) =>
      ending.state === "succeeded"
        ? { status: "available", statusReason: "Every member runs and answers its clients." }
        : {
            status: "degraded",
            statusReason: `A replica was to be cloned again and may still be at it. ${ending.message}`,
          },
  };
}

const nodeIdOf = (scope: ClusterScope) => reinitializeRequestSchema.parse(scope.request).nodeId;

/** Recorded at once: begun again, the clone would start from nothing. */
async function begin(scope: ClusterScope): Promise<undefined> {
  const { node } = await readNode(scope, nodeIdOf(scope));
  await runOn(scope, node, "reinitialize-member", "reinitialize", beginSeconds, {
    environment: scope.ports.settings.environment,
    clusterId: scope.clusterId,
    nodeId: node.id,
  });
  await writeCourse(scope, { begun: true });
}

async function stateOf(scope: ClusterScope): Promise<string> {
  const { node } = await readNode(scope, nodeIdOf(scope));
  const { members } = await observeShard(scope, node.shard);
  return members.find((member) => member.nodeId === node.id)?.state ?? "unknown";
}

async function clone(scope: ClusterScope, step: string, lookMs: number): Promise<string> {
  const startedAt = new Date().toISOString();
  const deadline = Date.now() + sliceSeconds * 1000;
  for (;;) {
    const detail = await progressOf(scope);
    if (detail === null) return "It streams from the leader.";
    await scope.ports.store.updateStep(scope.operationId, {
      name: step,
      state: "running",
      startedAt,
      endedAt: null,
      detail,
    });
    if (Date.now() > deadline) return detail;
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}

/** Null: done. Else how far it is, by what the node's volume holds beside the leader's. */
async function progressOf(scope: ClusterScope): Promise<string | null> {
  const { node } = await readNode(scope, nodeIdOf(scope));
  const { members } = await observeShard(scope, node.shard);
  const member = members.find(({ nodeId }) => nodeId === node.id);
  if (member?.state === "streaming") return null;
  const leader = members.find(({ role }) => role === "leader");
  const [own, whole] = await Promise.all([
    usedBytes(scope, node.id),
    leader === undefined ? null : usedBytes(scope, leader.nodeId),
  ]);
  return `${stateWords(member)}${own === null ? "" : `: ${mib(own)}${whole === null ? "" : ` of about ${mib(whole)}`} MiB on its volume`}`;
}

const stateWords = (member: Observation["members"][number] | undefined): string =>
  member === undefined ? "Patroni has not listed it yet" : member.state;

const mib = (bytes: number): number => Math.round(bytes / 1024 ** 2);

async function usedBytes(scope: ClusterScope, nodeId: string): Promise<number | null> {
  const { nodes } = await readCluster(scope);
  const node = runningNodes(nodes).find((one) => one.id === nodeId);
  if (node === undefined) return null;
  try {
    const input = { clusterId: scope.clusterId, nodeId: node.id };
    const { disk } = await runOn(scope, node, "inspect", "inspect", inspectSeconds, input);
    return disk.usedBytes;
  } catch (error) {
    // How far it is, is good to know, but no reason to fail.
    if (isSilence(error)) return null;
    throw error;
  }
}

export const handler = loopHandler(reinitializeLoop(), openPorts);
