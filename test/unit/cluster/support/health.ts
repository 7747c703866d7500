import fc from "fast-check";
import {
  type ClusterNode,
  type HealthRecord,
  type Judgement,
  judge,
  type ObservedHealth,
  type SeenInspection,
  unknownHealth,
} from "../../../../layers/domain/index.ts";
import { clusterId, nodeIdOf, specOf } from "../../config/support.ts";

type Survey = NonNullable<ObservedHealth["survey"]>;

export const now = "2026-01-01T00:00:00.000Z";

function nodesOf(count: number): ClusterNode[] {
  return Array.from({ length: count }, (_, index) => ({
    id: nodeIdOf(index),
    zone: `local-1${"abc"[index % 3]}`,
    shard: 0,
    services: index < 3 ? ["postgres", "etcd", "haproxy", "pgbouncer"] : ["postgres", "haproxy", "pgbouncer"],
    state: "running",
    instanceId: `i-${index}`,
    networkInterfaceId: `eni-${index}`,
    address: `198.18.0.1${index}`,
    volumeId: `vol-${index}`,
  }));
}

export const inspection: SeenInspection = {
  revision: null,
  services: {
    "etcd.service": "active",
    "patroni.service": "active",
    "haproxy.service": "active",
    "pgbouncer.service": "active",
  },
  disk: { totalBytes: 1000, usedBytes: 100 },
  wal: { bytes: 10, readyCount: 0, oldestReadySeconds: null, archivedUntil: null },
  connections: { used: 5, max: 94 },
  certificateNotAfter: "2027-01-01T00:00:00.000Z",
  nowMs: 0,
  drift: [],
  patroniVersion: "4.0.7",
  wrapper: true,
  clockSkewMs: 0,
  certificateSecondsLeft: 1e7,
};

/** A cluster as it should be, seen from its first node. */
export function well(count = 3, body: Parameters<typeof specOf>[0] = {}): ObservedHealth {
  const nodes = nodesOf(count);
  const cluster: ObservedHealth["cluster"] = {
    id: clusterId,
    nodes,
    spec: specOf({ members: count, ...body }),
    schedules: null,
    lastDrill: null,
    lastVerification: null,
  };
  const survey: Survey = {
    by: nodeIdOf(0),
    observation: {
      members: nodes.map(({ id }, index) => ({
        nodeId: id,
        role: index === 0 ? "leader" : index === 1 ? "sync-standby" : "replica",
        state: index === 0 ? "running" : "streaming",
        timeline: 1,
        lagBytes: index === 0 ? null : 0,
        pendingRestart: false,
      })),
      dcs: {
        quorum: true,
        members: nodes
          .slice(0, 3)
          .map(({ id }, index) => ({ nodeId: id, healthy: true, leader: index === 2 })),
      },
    },
    neighbours: nodes
      .slice(1)
      .map(({ id }) => ({ nodeId: id, patroni: true, haproxy: true, pgbouncer: true })),
  };
  return {
    cluster,
    now,
    survey,
    inspections: new Map(nodes.map(({ id }) => [id, inspection])),
    instances: new Map(
      nodes.map(({ id, instanceId }) => [
        id,
        { instanceId: instanceId ?? "", instanceType: "t4g.medium", life: "running" },
      ]),
    ),
    backups: null,
    paused: null,
  };
}

export const surveyOf = (observed: ObservedHealth): Survey => {
  if (observed.survey === null) throw new Error("the cluster was not seen");
  return observed.survey;
};

export function withMember(observed: ObservedHealth, index: number, change: object): ObservedHealth {
  const survey = surveyOf(observed);
  const members = survey.observation.members.map((one, at) => (at === index ? { ...one, ...change } : one));
  return { ...observed, survey: { ...survey, observation: { ...survey.observation, members } } };
}

export function withNeighbour(observed: ObservedHealth, nodeId: string, change: object): ObservedHealth {
  const survey = surveyOf(observed);
  const neighbours = survey.neighbours.map((one) => (one.nodeId === nodeId ? { ...one, ...change } : one));
  return { ...observed, survey: { ...survey, neighbours } };
}

export function withDcs(observed: ObservedHealth, sick: readonly number[]): ObservedHealth {
  const survey = surveyOf(observed);
  const members = survey.observation.dcs.members.map((one, at) =>
    sick.includes(at) ? { ...one, healthy: false, leader: false } : one,
  );
  const dcs = { quorum: members.filter((one) => one.healthy).length * 2 > members.length, members };
  return { ...observed, survey: { ...survey, observation: { ...survey.observation, dcs } } };
}

export function withDcsBytes(observed: ObservedHealth, index: number, dbBytes: number): ObservedHealth {
  const survey = surveyOf(observed);
  const { dcs } = survey.observation;
  const members = dcs.members.map((one, at) => (at === index ? { ...one, dbBytes } : one));
  return {
    ...observed,
    survey: { ...survey, observation: { ...survey.observation, dcs: { ...dcs, members } } },
  };
}

export function withInspection(
  observed: ObservedHealth,
  index: number,
  change: Partial<SeenInspection>,
): ObservedHealth {
  const inspections = new Map(observed.inspections).set(nodeIdOf(index), { ...inspection, ...change });
  return { ...observed, inspections };
}

const deaf = { patroni: false, haproxy: false, pgbouncer: false };

/** Nothing answers on the machine any more; Patroni still tells what it saw last. */
export const dead = (observed: ObservedHealth, index: number): ObservedHealth =>
  withDcs(withNeighbour(observed, nodeIdOf(index), deaf), [index]);

/** The judgement after two looks that see the same. */
export function twice(
  observed: ObservedHealth,
  record: HealthRecord = unknownHealth,
  status = "available",
): Judgement {
  const first = judge(observed, { record, status, suspected: [] });
  return judge(observed, { record: first.record, status: first.status, suspected: first.suspected });
}

/** Clusters in which anything may be wrong. */
export const anything: fc.Arbitrary<ObservedHealth> = fc
  .record({
    count: fc.integer({ min: 1, max: 5 }),
    states: fc.array(fc.constantFrom("running", "streaming", "stopped", "crashed"), {
      minLength: 5,
      maxLength: 5,
    }),
    silent: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 2 }),
    sick: fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 3 }),
    full: fc.boolean(),
    isSeen: fc.boolean(),
  })
  .map(({ count, states, silent, sick, full, isSeen }) => {
    let observed = well(count);
    states.slice(0, count).forEach((state, index) => {
      observed = withMember(observed, index, { state });
    });
    for (const index of silent) observed = withNeighbour(observed, nodeIdOf(index), deaf);
    observed = withDcs(observed, sick);
    if (full) observed = withInspection(observed, 0, { disk: { totalBytes: 10, usedBytes: 10 } });
    return isSeen ? observed : { ...observed, survey: null };
  });
