import type { Cluster, ClusterNode, SeenInspection } from "@pgherd/layers/domain";
import type { Inspection, NodeCommands, Survey } from "@pgherd/layers/domain/node";
import { errorFields, newId } from "@pgherd/layers/runtime";
import type { HealthWorld } from "./world.ts";

/** A node that is well answers within a second or two, the way there included. */
const commandDeadlineSeconds = 8;
/** After this the next node is asked as well: whoever is asked may be the one in trouble. */
const nextNodeAfterMs = 3_500;

export interface SeenSurvey extends Survey {
  readonly by: string;
  readonly inspection: SeenInspection;
}

const inputOf = (cluster: Cluster, node: ClusterNode) => ({ clusterId: cluster.id, nodeId: node.id });

type Asked = "survey" | "inspect";

async function ask<V extends Asked>(
  world: HealthWorld,
  node: ClusterNode,
  verb: V,
  input: NodeCommands[V]["input"],
): Promise<{ output: NodeCommands[V]["output"]; askedMs: number; answeredMs: number }> {
  if (node.instanceId === null) throw new Error(`node ${node.id} has no instance`);
  const askedMs = world.now().getTime();
  const output = await world.commands.run(
    // An id of its own: a node answers a command that it knows without carrying it out again.
    {
      instanceId: node.instanceId,
      operationId: newId("operation"),
      step: verb,
      deadlineSeconds: commandDeadlineSeconds,
    },
    verb,
    input,
  );
  return { output, askedMs, answeredMs: world.now().getTime() };
}

function seen(
  inspection: Inspection,
  { askedMs, answeredMs }: { askedMs: number; answeredMs: number },
): SeenInspection {
  const { nowMs } = inspection;
  return {
    ...inspection,
    clockSkewMs: Math.max(0, askedMs - nowMs, nowMs - answeredMs),
    certificateSecondsLeft: (Date.parse(inspection.certificateNotAfter) - answeredMs) / 1000,
  };
}

/** The first node that answers; one that says it has no majority only where no other one has. */
export async function survey(
  world: HealthWorld,
  cluster: Cluster,
  order: readonly ClusterNode[],
): Promise<SeenSurvey | null> {
  let fallback: SeenSurvey | null = null;
  const asked: Promise<SeenSurvey | null>[] = [];
  for (const [index, node] of order.entries()) {
    asked.push(
      surveyFrom(world, cluster, node).then((found) => {
        if (found === null || found.observation.dcs.quorum) return found;
        fallback ??= found;
        return null;
      }),
    );
    const found = await firstFound(asked, index === order.length - 1 ? null : nextNodeAfterMs);
    if (found !== null) return found;
  }
  return fallback;
}

async function surveyFrom(
  world: HealthWorld,
  cluster: Cluster,
  node: ClusterNode,
): Promise<SeenSurvey | null> {
  try {
    const { output, ...times } = await ask(world, node, "survey", inputOf(cluster, node));
    return { ...output, by: node.id, inspection: seen(output.self, times) };
  } catch (error) {
    world.log("info", "a node did not answer the survey", {
      clusterId: cluster.id,
      nodeId: node.id,
      ...errorFields(error),
    });
    return null;
  }
}

/** The first that is not null; null when all are, or after the time. */
async function firstFound<T>(asked: readonly Promise<T | null>[], afterMs: number | null): Promise<T | null> {
  const { promise, resolve } = Promise.withResolvers<T | null>();
  let open = asked.length;
  for (const one of asked) {
    void one.then((found) => {
      open -= 1;
      if (found !== null || open === 0) resolve(found);
    });
  }
  const timer = afterMs === null ? null : setTimeout(() => resolve(null), afterMs);
  try {
    return await promise;
  } finally {
    if (timer !== null) clearTimeout(timer);
  }
}

/** What the nodes say of themselves; one that does not answer is not in it. */
export async function inspectAll(
  world: HealthWorld,
  cluster: Cluster,
  nodes: readonly ClusterNode[],
): Promise<ReadonlyMap<string, SeenInspection>> {
  const found = await Promise.all(
    nodes.map(async (node): Promise<[string, SeenInspection][]> => {
      try {
        const { output, ...times } = await ask(world, node, "inspect", inputOf(cluster, node));
        return [[node.id, seen(output, times)]];
      } catch (error) {
        world.log("info", "a node could not be inspected", {
          clusterId: cluster.id,
          nodeId: node.id,
          ...errorFields(error),
        });
        return [];
      }
    }),
  );
  return new Map(found.flat());
}
