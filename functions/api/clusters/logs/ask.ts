import { gunzipSync } from "node:zlib";
import {
  type Cluster,
  type ClusterNode,
  type LogComponent,
  type LogPage,
  logPageSchema,
  type NodeLogs,
  type NodeService,
  Problem,
} from "@pgherd/layers/domain";
import { errorFields, newId } from "@pgherd/layers/runtime";
import type { ApiContext } from "../../context.ts";

/** Well below what API Gateway waits. */
const commandDeadlineSeconds = 15;
/** Twenty thousand characters of base64 never hold more; what does is not from our node program. */
const pageBytesMax = 16 * 1024 ** 2;

const serviceOf: Readonly<Record<LogComponent, NodeService>> = {
  postgres: "postgres",
  patroni: "postgres",
  etcd: "etcd",
  haproxy: "haproxy",
  pgbouncer: "pgbouncer",
};

/** The nodes to ask. @throws {Problem} `invalid-request` where the named one is unknown or has no such component */
export function chooseNodes(
  cluster: Cluster,
  component: LogComponent,
  nodeId: string | undefined,
): ClusterNode[] {
  const having = cluster.nodes.filter((node) => node.services.includes(serviceOf[component]));
  const chosen = nodeId === undefined ? having : having.filter((node) => node.id === nodeId);
  if (nodeId !== undefined && chosen.length === 0) {
    const names = having.map((node) => node.id).join(", ");
    const isKnown = cluster.nodes.some((node) => node.id === nodeId);
    throw new Problem("invalid-request", "There are no such logs; errors says why.", {
      errors: [
        {
          path: "nodeId",
          message: isKnown
            ? `must be a node with ${component}: ${names}`
            : `must be a node of cluster ${cluster.id}: ${names}`,
        },
      ],
    });
  }
  const running = chosen.filter((node) => node.state === "running" && node.instanceId !== null);
  if (running.length > 0) return running;
  throw new Problem(
    "wrong-status",
    `Cluster ${cluster.id} has no running node to ask for logs of ${component}: it is ${cluster.status}. ${cluster.statusReason}`,
  );
}

export interface LogQuestion {
  readonly component: LogComponent;
  readonly limit: number;
  readonly since: string | null;
  /** By node; goes before `since`. */
  readonly after: Readonly<Record<string, string>>;
}

/** Asks all of them at the same time. @throws {Problem} `cluster-unreachable` when none answers */
export async function askNodes(
  context: ApiContext,
  cluster: Cluster,
  nodes: readonly ClusterNode[],
  question: LogQuestion,
): Promise<{ logs: NodeLogs[]; unreachable: string[] }> {
  const outcomes = await Promise.allSettled(nodes.map((node) => askNode(context, cluster, node, question)));
  const logs: NodeLogs[] = [];
  const unreachable: string[] = [];
  const errors: unknown[] = [];
  for (const [index, node] of nodes.entries()) {
    const outcome = outcomes[index];
    if (outcome?.status === "fulfilled") logs.push({ nodeId: node.id, page: outcome.value });
    else {
      unreachable.push(node.id);
      errors.push(outcome?.reason);
      context.log("warn", "a node gave no logs", { nodeId: node.id, ...errorFields(outcome?.reason) });
    }
  }
  if (logs.length > 0) return { logs, unreachable };
  throw new Problem(
    "cluster-unreachable",
    `None of the ${nodes.length} nodes of cluster ${cluster.id} that were asked gave its logs within ${commandDeadlineSeconds} s.`,
    { cause: new AggregateError(errors) },
  );
}

async function askNode(
  context: ApiContext,
  cluster: Cluster,
  node: ClusterNode,
  question: LogQuestion,
): Promise<LogPage> {
  const { page } = await context.commands.run(
    {
      instanceId: node.instanceId ?? "",
      // An id of its own: a node answers a command that it knows without carrying it out again.
      operationId: newId("operation"),
      step: "read-logs",
      deadlineSeconds: commandDeadlineSeconds,
    },
    "read-logs",
    {
      environment: context.settings.environment,
      clusterId: cluster.id,
      nodeId: node.id,
      component: question.component,
      limit: question.limit,
      after: question.after[node.id] ?? null,
      since: question.since,
    },
  );
  const text = gunzipSync(Buffer.from(page, "base64"), { maxOutputLength: pageBytesMax }).toString("utf8");
  return logPageSchema.parse(JSON.parse(text));
}
