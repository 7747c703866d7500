import type { Cluster } from "../../../layers/domain/index.ts";
import { CommandError, type Executions, type NodeCommandPort } from "../../../layers/ports/index.ts";
import type { Cloud } from "../../world/cloud.ts";
import { ControlPlane } from "../../world/control-plane.ts";

export const minuteMs = 60_000;

export const log = (): void => undefined;

export async function make(cloud: Cloud): Promise<Cluster> {
  const { cluster } = await new ControlPlane(cloud).create({ name: "orders", members: 3 });
  if (cluster === null) throw new Error("the cluster was not made");
  return cluster;
}

export async function read(cloud: Cloud, { id }: Cluster): Promise<Cluster> {
  const cluster = await cloud.ports.store.getCluster(id);
  if (cluster === null) throw new Error(`there is no cluster ${id}`);
  return cluster;
}

export async function actions(cloud: Cloud, { id: clusterId }: Cluster): Promise<string[]> {
  const { items } = await cloud.ports.store.listAuditEntries({ clusterId, limit: 50, cursor: null });
  const all = items.map((entry) => entry.action).toReversed();
  return all.filter((action) => !action.startsWith("create-cluster"));
}

/** A node that is well is seen by the others, as long as its machine runs. */
export class Nodes {
  readonly sent: string[] = [];
  /** Instances that run and say nothing. */
  readonly deaf = new Set<string>();
  certificateNotAfter = new Date(Date.now() + 300 * 24 * 60 * minuteMs).toISOString();
  drift: { path: string }[] = [];
  readonly #cloud: Cloud;

  constructor(cloud: Cloud) {
    this.#cloud = cloud;
  }

  run: NodeCommandPort["run"] = async (target, verb, input) => {
    const { clusterId, nodeId } = input as { clusterId: string; nodeId: string };
    this.sent.push(`${verb} ${nodeId}`);
    if (!(await this.#lives(target.instanceId))) {
      throw new CommandError("command-deadline", target.instanceId, "it says nothing");
    }
    const self = this.#inspection();
    const answer = verb === "inspect" ? self : { ...(await this.#view(clusterId, nodeId)), self };
    // The verbs that get here are these two; TypeScript does not narrow V by the verb.
    return answer as never;
  };

  async #lives(instanceId: string | null): Promise<boolean> {
    if (instanceId === null || this.deaf.has(instanceId)) return false;
    return this.#cloud.machines.isRunning(instanceId);
  }

  async #view(clusterId: string, by: string) {
    const nodes = (await this.#cloud.ports.store.getCluster(clusterId))?.nodes ?? [];
    const lives = await Promise.all(nodes.map((node) => this.#lives(node.instanceId)));
    const first = lives.indexOf(true);
    return {
      observation: {
        members: nodes.map((node, index) => ({
          nodeId: node.id,
          role: index === first ? "leader" : index === first + 1 ? "sync-standby" : "replica",
          state: index === first ? "running" : "streaming",
          timeline: first + 1,
          lagBytes: 0,
          pendingRestart: false,
        })),
        dcs: {
          quorum: lives.filter(Boolean).length > 1,
          members: nodes.map((node, index) => ({
            nodeId: node.id,
            healthy: lives[index] ?? false,
            leader: false,
          })),
        },
      },
      neighbours: nodes
        .map((node, index) => {
          const isThere = lives[index] ?? false;
          return { nodeId: node.id, patroni: isThere, haproxy: isThere, pgbouncer: isThere };
        })
        .filter((one) => one.nodeId !== by),
    };
  }

  #inspection() {
    return {
      revision: null,
      services: { "patroni.service": "active" },
      disk: { totalBytes: 100, usedBytes: 10 },
      wal: { bytes: 1, readyCount: 0, oldestReadySeconds: null },
      connections: { used: 47, max: 94 },
      certificateNotAfter: this.certificateNotAfter,
      nowMs: Date.now(),
      drift: this.drift,
      patroniVersion: "4.0.7",
      wrapper: true,
    };
  }
}

export const last = <T>(items: readonly T[]): T => {
  const item = items.at(-1);
  if (item === undefined) throw new Error("there is nothing");
  return item;
};

export async function stopMachine(cloud: Cloud, instanceId: string | null): Promise<void> {
  if (instanceId === null) throw new Error("the node has no instance");
  await cloud.ports.compute.stopInstance(instanceId, 10);
}

export interface Started {
  readonly kind: string;
  readonly operationId: string;
}

export class Starts implements Pick<Executions, "start"> {
  readonly started: Started[] = [];
  start: Executions["start"] = async (kind, { operationId }) => {
    this.started.push({ kind, operationId });
  };
}
