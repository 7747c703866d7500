import {
  type Cluster,
  type ClusterNode,
  type Freshness,
  nodeRole,
  nodeSize,
  type ObservedCluster,
  type ObservedDcsMember,
  type ObservedInstance,
  type ObservedMember,
  type ObservedNode,
  securityRules,
} from "@pgherd/layers/domain";
import type { ObservedPlace } from "@pgherd/layers/domain/node";
import type { Survey } from "@pgherd/layers/ports";
import { newId, revisionOf } from "@pgherd/layers/runtime";
import { type ClusterScope, readCluster } from "../create-cluster/records.ts";
import { configurationOf } from "../node-configuration.ts";
import { isSilence, runOn } from "../shards.ts";

/** A node that is well answers within two seconds, a busy one within ten; who is later counts as silent. */
const observeSeconds = 10;
/**
 * Patroni looks at a changed configuration once in a loop, waits a second, asks PostgreSQL what that takes, and tells
 * the others with its next loop.
 */
const settleSeconds = { fast: 5, standard: 5, cautious: 22 } as const satisfies Record<string, number>;
/** A certificate with less time left than this is made anew with the configuration. */
const certificateDaysMin = 30;
const dayMs = 24 * 60 * 60 * 1000;

/** What one round of a converge sees: the records, EC2, and every node that answers. */
export async function observeCluster(
  scope: ClusterScope,
  round: number,
): Promise<{ cluster: Cluster; observed: ObservedCluster }> {
  const cluster = await readCluster(scope);
  const { compute, settings } = scope.ports;
  const survey = await compute.survey(cluster.id, securityRules(cluster.spec, settings));
  const places = await observePlaces(scope, cluster, survey, round);
  const leader = leaderOf(cluster, places);
  const leaderPlace = leader === null ? null : (places.get(leader) ?? null);
  return {
    cluster,
    observed: {
      zones: Object.keys(settings.subnets).toSorted(),
      nodes: cluster.nodes.map((node) => observedNode({ scope, cluster, survey, places, round }, node)),
      dcs: dcsOf(cluster, survey, places),
      leader,
      securityRules: survey.securityRules,
      dynamicConfiguration: leaderPlace === null ? null : dynamicFreshness(leaderPlace),
      database:
        leaderPlace === null || leaderPlace.extensions === null
          ? null
          : { extensions: leaderPlace.extensions },
      freshNodeId: newId("node"),
    },
  };
}

type Places = ReadonlyMap<string, ObservedPlace>;

/**
 * All at the same time. Silence is an answer, and takes the whole time: who cannot answer is not asked. A node that
 * refuses is a failure.
 */
async function observePlaces(
  scope: ClusterScope,
  cluster: Cluster,
  survey: Survey,
  round: number,
): Promise<Places> {
  const runs = new Set(survey.instances.filter(({ state }) => state === "running").map((one) => one.nodeId));
  const asked = cluster.nodes
    .filter((node) => node.instanceId !== null && node.state === "running" && runs.has(node.id))
    .map(async (node): Promise<[string, ObservedPlace][]> => {
      const { database, failover } = cluster.spec;
      const settle = settleSeconds[failover.profile];
      const input = { clusterId: cluster.id, nodeId: node.id, database, settleSeconds: settle };
      const step = `observe-${round}-${newId("request")}`;
      try {
        return [[node.id, await runOn(scope, node, "observe-place", step, observeSeconds + settle, input)]];
      } catch (error) {
        if (isSilence(error)) return [];
        throw error;
      }
    });
  return new Map((await Promise.all(asked)).flat());
}

/** What most of those that can be asked say: one that is cut off still believes what it saw last. */
function leaderOf(cluster: Cluster, places: Places): string | null {
  const votes = [...places.values()]
    .filter((place) => place.dcs?.hasQuorum === true)
    .flatMap((place) => place.patroni?.members.filter((member) => member.role === "leader") ?? [])
    .filter((member) => member.state === "running");
  const counted = Map.groupBy(votes, (member) => member.nodeId);
  const [best] = [...counted].toSorted(([, left], [, right]) => right.length - left.length);
  const leader = best?.[0] ?? null;
  return cluster.nodes.some((node) => node.id === leader) ? leader : null;
}

interface Look {
  readonly scope: ClusterScope;
  readonly cluster: Cluster;
  readonly survey: Survey;
  readonly places: Places;
  readonly round: number;
}

function observedNode(look: Look, node: ClusterNode): ObservedNode {
  const { places, survey } = look;
  const place = places.get(node.id) ?? null;
  const instance = survey.instances.find((one) => one.nodeId === node.id) ?? null;
  const volumes = survey.volumes.filter((one) => one.nodeId === node.id);
  const interfaces = survey.networkInterfaces.filter((one) => one.nodeId === node.id);
  const volume = volumes.find((one) => one.volumeId === node.volumeId);
  const observedInstance: ObservedInstance | null =
    instance === null ? null : { ...instance, answers: place !== null && instance.state === "running" };
  return {
    record: node,
    instance: observedInstance,
    volume: volume === undefined ? null : { ...volume, isFilled: place?.isFilled ?? true },
    hasInterface: interfaces.some((one) => one.networkInterfaceId === node.networkInterfaceId),
    leftovers: {
      volumeIds: volumes.map((one) => one.volumeId).filter((id) => id !== node.volumeId),
      networkInterfaceIds: interfaces
        .map((one) => one.networkInterfaceId)
        .filter((id) => id !== node.networkInterfaceId),
    },
    configuration: place === null ? null : configurationFreshness(look, node, instance, place),
    member: memberOf(node, places),
  };
}

/** What is not as it was left is put right once: where that does not help, doing it again would not either. */
function configurationFreshness(
  { scope, cluster, round }: Look,
  node: ClusterNode,
  instance: Survey["instances"][number] | null,
  { inspection }: ObservedPlace,
): Freshness {
  if (inspection === null) return "stale";
  const instanceType = instance?.instanceType ?? nodeSize(cluster.spec, nodeRole(node)).instanceType;
  const wanted = revisionOf(configurationOf(scope, cluster, node.id, instanceType));
  const isShort = Date.parse(inspection.certificateNotAfter) - Date.now() < certificateDaysMin * dayMs;
  const hasDrift = inspection.drift.some(({ path }) => !path.startsWith(dynamicPrefix));
  const isDown = Object.values(inspection.services).some((state) => state !== "active");
  const isOutOfOrder = round === 1 && (hasDrift || isDown);
  return inspection.revision !== wanted || isShort || isOutOfOrder ? "stale" : "current";
}

const dynamicPrefix = "patroni:/config";

/** Patroni compares with what its node was told; a node that was told something old is configured first. */
function dynamicFreshness({ inspection }: ObservedPlace): Freshness {
  const isStale = inspection?.drift.some(({ path }) => path.startsWith(dynamicPrefix)) ?? false;
  return isStale ? "stale" : "current";
}

/** One whose PostgreSQL or Patroni was too busy to answer is asked again: its silence is no sign that all is done. */
function hasAnswered(own: ObservedPlace | undefined): boolean {
  if (own === undefined) return true;
  return own.pendingRestart !== null && own.inspection?.patroniVersion !== null;
}

/** As the first that sees a majority of etcd tells it. */
function memberOf(node: ClusterNode, places: Places): ObservedMember | null {
  const own = places.get(node.id);
  const views = [...places.values()].filter((place) => place.dcs?.hasQuorum === true);
  for (const { patroni } of views) {
    const seen = patroni?.members.find((member) => member.nodeId === node.id);
    if (patroni === null || seen === undefined) continue;
    return {
      isHealthy: seen.state === (seen.role === "leader" ? "running" : "streaming") && hasAnswered(own),
      isSynchronous: seen.role === "sync-standby",
      isProgramStale: own?.isProgramStale ?? false,
      pendingRestart: pendingOf(own?.pendingRestart ?? []),
    };
  }
  return null;
}

/** Values come as text; what is no number has no direction. */
function pendingOf(pending: NonNullable<ObservedPlace["pendingRestart"]>): ObservedMember["pendingRestart"] {
  if (pending.length === 0) return null;
  const numberOf = (text: string): number | null => (Number.isFinite(Number(text)) ? Number(text) : null);
  return pending.map(({ name, from, to }) => ({ name, from: numberOf(from), to: numberOf(to) }));
}

function dcsOf(cluster: Cluster, survey: Survey, places: Places): ObservedCluster["dcs"] {
  const lists = [...places.values()].flatMap((place) => place.dcs ?? []);
  const list = lists.find((one) => one.hasQuorum) ?? lists[0];
  if (list === undefined) return { hasQuorum: false, members: [] };
  const members = list.members.map((member): ObservedDcsMember => {
    const node = cluster.nodes.find((one) => one.address === member.address);
    const isVolumeThere = survey.volumes.some((one) => one.volumeId === node?.volumeId);
    return {
      memberId: member.memberId,
      nodeId: node?.id ?? null,
      kind: member.isLearner ? "learner" : "voter",
      isStarted: member.name !== "",
      isHealthy: member.isHealthy,
      isLeader: member.isLeader,
      isStale: node !== undefined && !member.isHealthy && !isVolumeThere,
    };
  });
  return { hasQuorum: list.hasQuorum, members };
}
