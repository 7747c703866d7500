import {
  type Cluster,
  type ClusterMetrics,
  type ClusterNode,
  type HealthRecord,
  isNews,
  isSilent,
  type Judgement,
  judge,
  metricsOf,
  type ObservedHealth,
  type SeenInspection,
} from "@pgherd/layers/domain";
import { systemEntry } from "@pgherd/layers/runtime";
import { instancesOf } from "../instances.ts";
import { inspectAll, type SeenSurvey, survey } from "./look.ts";
import type { HealthWorld } from "./world.ts";

/** What one round leaves to the next. */
export interface Memory {
  readonly record: HealthRecord;
  readonly suspected: readonly string[];
  readonly inspections: ReadonlyMap<string, SeenInspection>;
  readonly instances: ObservedHealth["instances"];
  readonly backups: ObservedHealth["backups"];
  /** Of the last look; null before the first. */
  readonly metrics: ClusterMetrics | null;
  /** Counts the rounds; nodes take turns with the survey. Zero: nothing has been looked at yet. */
  readonly turn: number;
  /** How long the last look took. */
  readonly lookMs: number;
}

/** Nodes that need longer for an answer have other things to do. */
export const slowMs = 3_000;

export const newMemory = (record: HealthRecord): Memory => ({
  record,
  suspected: [],
  inspections: new Map(),
  instances: null,
  backups: null,
  metrics: null,
  turn: 0,
  lookMs: 0,
});

/** EC2 is asked when there is reason to, and every so many rounds for what nobody would notice otherwise. */
const roundsBetweenInstances = 15;

/** Backups come and go within minutes and hours: once in a minute is enough. */
const roundsBetweenBackups = 10;

/** One look at one cluster: a survey by one node, more only where something is wrong or new. */
export async function round(world: HealthWorld, cluster: Cluster, memory: Memory): Promise<Memory> {
  const startedMs = world.now().getTime();
  const surveyed = await survey(world, cluster, surveyors(cluster, memory));
  const first = judgeWith(cluster, memory, await look(world, cluster, memory, surveyed));
  // What is new may have a reason that only the nodes themselves know, such as a full volume. Nodes that are slow to
  // answer one question are not asked more.
  const isNew = first.judgement.suspected.some((key) => !memory.suspected.includes(key));
  const isSlow = world.now().getTime() - startedMs > slowMs;
  const { judgement, observed } =
    (isNew || memory.turn === 0) && !isSlow
      ? await lookCloser(world, cluster, memory, first.observed)
      : first;
  const before = { record: memory.record, status: cluster.status, drift: cluster.drift };
  const isWritten = isNews(judgement, before) ? await write(world, cluster, judgement) : true;
  return {
    record: isWritten ? judgement.record : await world.store.readHealth(cluster.id),
    suspected: judgement.suspected,
    inspections: observed.inspections,
    instances: observed.instances,
    backups: observed.backups,
    metrics: metricsOf(observed),
    turn: memory.turn + 1,
    lookMs: world.now().getTime() - startedMs,
  };
}

interface Judged {
  readonly judgement: Judgement;
  readonly observed: ObservedHealth;
}

function judgeWith(cluster: Cluster, memory: Memory, observed: ObservedHealth): Judged {
  const { record, suspected } = memory;
  return { observed, judgement: judge(observed, { record, suspected, status: cluster.status }) };
}

/** Nodes in turn; those that were silent the last time only where no other one is left. */
function surveyors(cluster: Cluster, { turn, record }: Memory): ClusterNode[] {
  const able = cluster.nodes.filter((node) => node.services.includes("postgres") && node.instanceId !== null);
  const start = able.length === 0 ? 0 : turn % able.length;
  const order = [...able.slice(start), ...able.slice(0, start)];
  const isSilentSince = (node: ClusterNode): boolean => record.silentSince[node.id] !== undefined;
  return [...order.filter((node) => !isSilentSince(node)), ...order.filter(isSilentSince)];
}

async function look(
  world: HealthWorld,
  cluster: Cluster,
  memory: Memory,
  surveyed: SeenSurvey | null,
): Promise<ObservedHealth> {
  const inspections = new Map(
    [...memory.inspections].filter(([nodeId]) => cluster.nodes.some((node) => node.id === nodeId)),
  );
  if (surveyed !== null) inspections.set(surveyed.by, surveyed.inspection);
  const observed: ObservedHealth = {
    cluster,
    now: world.now().toISOString(),
    survey: surveyed,
    inspections,
    instances: memory.instances,
    backups:
      memory.turn % roundsBetweenBackups === 0 ? await world.store.allBackups(cluster.id) : memory.backups,
    paused: cluster.paused,
  };
  const isDoubtful = surveyed === null || cluster.nodes.some((node) => isSilent(node, observed));
  if (!isDoubtful && memory.turn % roundsBetweenInstances !== 0) return observed;
  return { ...observed, instances: await instancesOf(world.compute, cluster.id) };
}

async function lookCloser(
  world: HealthWorld,
  cluster: Cluster,
  memory: Memory,
  observed: ObservedHealth,
): Promise<Judged> {
  const others = cluster.nodes.filter(
    (node) => node.id !== observed.survey?.by && node.instanceId !== null && !isSilent(node, observed),
  );
  const inspected = await inspectAll(world, cluster, others);
  const inspections = new Map([...observed.inspections, ...inspected]);
  return judgeWith(cluster, memory, { ...observed, inspections });
}

async function write(world: HealthWorld, cluster: Cluster, judgement: Judgement): Promise<boolean> {
  const { status, statusReason, drift, record, events } = judgement;
  if (status !== cluster.status || statusReason !== cluster.statusReason) {
    world.log(status === "available" ? "info" : "warn", "a cluster's health changed", {
      clusterId: cluster.id,
      status,
      statusReason,
    });
  }
  return world.store.updateHealth(cluster.id, {
    status,
    statusReason,
    drift,
    record,
    events: events.map(({ action, detail }) =>
      systemEntry({
        clusterId: cluster.id,
        at: world.now().toISOString(),
        action,
        operationId: null,
        detail,
      }),
    ),
  });
}
