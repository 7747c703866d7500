import type { Cluster, ClusterNode } from "../domain/cluster/cluster.ts";
import { describeTopology, type Topology } from "../domain/cluster/topology.ts";
import type { Observation } from "../domain/node/protocol.ts";
import { Problem } from "../domain/problems.ts";
import type { NodeCommandPort } from "../ports/commands.ts";
import { newId } from "./ids.ts";

/**
 * The API promises an age of at most two seconds, counted from before the node was asked; the rest is for the way to
 * the caller.
 */
const ageMsMax = 1_500;
/** From this age on the next question is asked ahead, so that whoever polls never waits for a node. */
const refreshAfterMs = 600;
/** A healthy node answers sooner; after this the next one is asked as well. */
const nextNodeAfterMs = 1_000;
/** Well below what API Gateway waits. */
const commandDeadlineSeconds = 8;

export interface Observer {
  /** @throws {Problem} `wrong-status` while no instance runs, `cluster-unreachable` when none answers. */
  observe(cluster: Cluster): Promise<Topology>;
}

type Target = ClusterNode & { readonly instanceId: string };

/** A question that is open for longer was asked before the function was frozen: nobody may ever answer it. */
const openMsMax = (commandDeadlineSeconds + 2) * 1000;

interface Question {
  readonly askedMs: number;
  readonly answer: Promise<Topology>;
}

interface Known {
  readonly topology: Topology | null;
  readonly open: Question | null;
}

const nothing: Known = { topology: null, open: null };

/**
 * Asks nodes for what Patroni and etcd say. Callers that come while a question is under way share its answer. All ages
 * are by the wall clock: a function can be frozen between two lines and thaw long after.
 */
export function createObserver(commands: Pick<NodeCommandPort, "run">): Observer {
  const known = new Map<string, Known>();

  const ask = (cluster: Cluster): Promise<Topology> => {
    const asked = observeCluster(commands, cluster);
    const question: Question = { askedMs: Date.now(), answer: asked };
    known.set(cluster.id, { ...(known.get(cluster.id) ?? nothing), open: question });
    const close = (): Known => {
      const { topology, open } = known.get(cluster.id) ?? nothing;
      return { topology, open: open === question ? null : open };
    };
    return asked.then(
      (topology) => {
        known.set(cluster.id, { ...close(), topology });
        return topology;
      },
      (error: unknown) => {
        known.set(cluster.id, close());
        throw error;
      },
    );
  };

  return {
    observe: async (cluster) => {
      const calledMs = Date.now();
      for (;;) {
        forgetOld(known);
        const { topology, open } = known.get(cluster.id) ?? nothing;
        if (topology !== null) {
          // Whoever finds the present answer too old asks again and learns of the failure.
          if (ageMs(topology) > refreshAfterMs && open === null) ask(cluster).catch(() => undefined);
          return topology;
        }
        if (open === null) return ask(cluster);
        const shared = await open.answer;
        if (Date.parse(shared.observedAt) >= calledMs || ageMs(shared) < ageMsMax) return shared;
      }
    },
  };
}

const ageMs = (topology: Topology): number => Date.now() - Date.parse(topology.observedAt);

function forgetOld(known: Map<string, Known>): void {
  for (const [clusterId, { topology, open }] of known) {
    const present = topology !== null && ageMs(topology) < ageMsMax ? topology : null;
    const pending = open !== null && Date.now() - open.askedMs < openMsMax ? open : null;
    if (present === null && pending === null) known.delete(clusterId);
    else known.set(clusterId, { topology: present, open: pending });
  }
}

async function observeCluster(commands: Pick<NodeCommandPort, "run">, cluster: Cluster): Promise<Topology> {
  const targets = cluster.nodes.flatMap(asTarget);
  if (targets.length === 0) {
    throw new Problem(
      "wrong-status",
      `Cluster ${cluster.id} has no running node to ask: it is ${cluster.status}. ${cluster.statusReason}`,
    );
  }
  const { observation, askedAt } = await firstObservation(commands, cluster.id, targets);
  return describeTopology(cluster, observation, askedAt);
}

function asTarget(node: ClusterNode): Target[] {
  const { instanceId } = node;
  return node.state === "running" && instanceId !== null ? [{ ...node, instanceId }] : [];
}

/**
 * One node is asked first and the others only when it is slow or says that it has no quorum: a node that is cut off
 * still believes what it saw last.
 */
async function firstObservation(
  commands: Pick<NodeCommandPort, "run">,
  clusterId: string,
  targets: readonly Target[],
): Promise<Observed> {
  const withoutQuorum: Observed[] = [];
  const errors: unknown[] = [];
  const asked: Promise<Observed | null>[] = [];
  for (const [index, target] of targets.entries()) {
    asked.push(
      observeNode(commands, clusterId, target).then(
        (observed) => {
          if (observed.observation.dcs.quorum) return observed;
          withoutQuorum.push(observed);
          return null;
        },
        (error: unknown) => {
          errors.push(error);
          return null;
        },
      ),
    );
    const isLast = index === targets.length - 1;
    const found = await firstFound(asked, isLast ? null : nextNodeAfterMs);
    if (found !== null) return found;
  }
  const [fallback] = withoutQuorum;
  if (fallback !== undefined) return fallback;
  throw new Problem(
    "cluster-unreachable",
    `None of the ${targets.length} running nodes of cluster ${clusterId} answered within ${commandDeadlineSeconds} s.`,
    { cause: new AggregateError(errors, "no node answered") },
  );
}

/** The first answer that is one; null when the time is over or all of them have failed. */
async function firstFound(
  asked: readonly Promise<Observed | null>[],
  afterMs: number | null,
): Promise<Observed | null> {
  const answers = asked.map(async (one) => {
    const observed = await one;
    if (observed === null) throw new NoAnswer();
    return observed;
  });
  const any = Promise.any(answers).catch((error: unknown) => {
    if (error instanceof AggregateError) return null;
    throw error;
  });
  if (afterMs === null) return any;
  const timer = Promise.withResolvers<null>();
  const handle = setTimeout(() => timer.resolve(null), afterMs);
  try {
    return await Promise.race([any, timer.promise]);
  } finally {
    clearTimeout(handle);
  }
}

class NoAnswer extends Error {
  override readonly name = "NoAnswer";
}

interface Observed {
  readonly observation: Observation;
  readonly askedAt: string;
}

async function observeNode(
  commands: Pick<NodeCommandPort, "run">,
  clusterId: string,
  target: Target,
): Promise<Observed> {
  const askedAt = new Date().toISOString();
  const observation = await commands.run(
    {
      instanceId: target.instanceId,
      // An id of its own: a node answers a command that it knows without carrying it out again.
      operationId: newId("operation"),
      step: "observe",
      deadlineSeconds: commandDeadlineSeconds,
    },
    "observe",
    { clusterId, nodeId: target.id },
  );
  return { observation, askedAt };
}
