import { expect } from "vitest";
import type { ConvergeDeadlines } from "../../functions/workflows/converge-cluster/deadlines.ts";
import { convergeClusterLoop } from "../../functions/workflows/converge-cluster.ts";
import type { ClusterPorts } from "../../functions/workflows/ports.ts";
import {
  type Change,
  type Cluster,
  type ClusterSpec,
  type ConvergeRequest,
  type CreateClusterBody,
  convergeRequestSchema,
  nodeTotal,
  type Operation,
  pendingOperation,
} from "../../layers/domain/index.ts";
import type { NodeVerb } from "../../layers/domain/node/index.ts";
import { CommandError } from "../../layers/ports/index.ts";
import { newId } from "../../layers/runtime/ids.ts";
import { type Loop, loopHandler } from "../../layers/runtime/workflow.ts";
import type { Cloud } from "./cloud.ts";
import { ControlPlane } from "./control-plane.ts";
import { inventory, inventoryOf } from "./expectations.ts";
import { PaperCluster } from "./paper-cluster.ts";

/** What never answers must not hold a test for minutes. */
const deadlines: ConvergeDeadlines = {
  instanceSeconds: 5,
  agentSeconds: 1,
  prepareSeconds: 1,
  configureSeconds: 1,
  memberSeconds: 1,
  dcsSeconds: 1,
  drainSeconds: 1,
  shutDownSeconds: 1,
  restartSeconds: 1,
  shortSeconds: 1,
};

type ConvergeLoop = Loop<ClusterPorts, Change>;

export interface Converging {
  readonly cloud: Cloud;
  readonly plane: ControlPlane;
  readonly paper: PaperCluster;
  readonly clusterId: string;
  read(): Promise<Cluster>;
  /** What a PATCH, a scale or a replace writes. */
  write(spec: Partial<ClusterSpec>, request?: Partial<ConvergeRequest>): Promise<Operation>;
  converge(spec: Partial<ClusterSpec>, request?: Partial<ConvergeRequest>): Promise<Operation>;
}

/**
 * A cluster that was created, and converges from then on.
 * @param leads the index of the node that leads
 * @param around puts something around the loop
 */
export async function openConverging(
  cloud: Cloud,
  body: Omit<CreateClusterBody, "name">,
  leads = 0,
  around: (loop: ConvergeLoop) => ConvergeLoop = (loop) => loop,
): Promise<Converging> {
  const { cluster } = await new ControlPlane(cloud).create({ name: "orders", ...body });
  if (cluster === null) throw new Error("the cluster was not created");
  const paper = new PaperCluster(cloud, cluster, cluster.nodes[leads]?.id ?? "");
  const ports = { ...cloud.ports, commands: paper };
  const handler = loopHandler(around(convergeClusterLoop(deadlines)), () => ports);
  const plane = new ControlPlane(cloud, ports, { "converge-cluster": handler as never });
  const { id: clusterId } = cluster;
  const read = async (): Promise<Cluster> => {
    const found = await cloud.ports.store.getCluster(clusterId);
    if (found === null) throw new Error("there is no cluster any more");
    return found;
  };
  const write: Converging["write"] = async (spec, request = {}) => {
    const before = await read();
    const after = { ...before.spec, ...spec };
    const dropExtensions = before.spec.extensions.filter((name) => !after.extensions.includes(name));
    const asked = { previousSpec: before.spec, dropExtensions, ...request };
    return writeConverge(cloud, before, after, convergeRequestSchema.parse(asked));
  };
  const converge: Converging["converge"] = async (spec, request) =>
    plane.carryOut(await write(spec, request));
  return { cloud, plane, paper, clusterId, read, write, converge };
}

async function writeConverge(
  { ports }: Cloud,
  cluster: Cluster,
  spec: ClusterSpec,
  request: ConvergeRequest,
): Promise<Operation> {
  const at = new Date().toISOString();
  const operation = pendingOperation({
    id: newId("operation"),
    clusterId: cluster.id,
    kind: "converge-cluster",
    request: JSON.parse(JSON.stringify(request)),
    startedBy: "test",
    createdAt: at,
  });
  const audit = {
    id: newId("audit"),
    clusterId: cluster.id,
    at,
    action: operation.kind,
    principal: "test",
    role: "operator",
    sourceAddress: "127.0.0.1",
    requestId: newId("request"),
    operationId: operation.id,
    detail: "",
  } as const;
  const claim = {
    status: "updating",
    statusReason: "",
    expectedGeneration: cluster.generation,
    spec,
  } as const;
  await ports.store.startOperation({ operation, audit, idempotency: null }, claim);
  return operation;
}

/** The nodes really are what the spec says, nothing is left over, and on the way nothing was ever in danger. */
export async function expectConverged(world: Converging): Promise<Cluster> {
  const { cloud, paper } = world;
  const cluster = await world.read();
  const { spec } = cluster;
  expect(paper.faults).toEqual([]);
  expect(cluster).toMatchObject({ status: "available", activeOperationId: null });
  expect(await inventory(cloud)).toEqual(inventoryOf(nodeTotal(spec)));
  const data = cluster.nodes.filter((node) => node.services.includes("postgres")).map((node) => node.id);
  expect(data).toHaveLength(spec.members);
  expect([paper.patroni.leader, ...paper.patroni.streaming].toSorted()).toEqual(data.toSorted());
  const withEtcd = cluster.nodes.filter((node) => node.services.includes("etcd"));
  expect(withEtcd).toHaveLength(spec.dcs.members);
  expect(paper.etcd.voters.map((voter) => voter.address).toSorted()).toEqual(
    withEtcd.map((node) => node.address).toSorted(),
  );
  expect(paper.etcd.members.every((member) => paper.etcd.isHealthy(member))).toBe(true);
  for (const node of cluster.nodes.filter((one) => data.includes(one.id))) {
    expect(paper.fileSystemGiB(node.volumeId ?? "")).toBe(spec.storage.sizeGiB);
  }
  return cluster;
}

/** The same change again, by a process that took over and knows nothing of the first: nodes do it again. */
export const everythingTwice = (loop: ConvergeLoop): ConvergeLoop => ({
  ...loop,
  carryOut: async (scope, change, step) => {
    await loop.carryOut(scope, change, step);
    return loop.carryOut(scope, change, `${step}-again`);
  },
});

/** The verb fails once, before it does anything; what was done before it stays done. */
export function failOnce(paper: PaperCluster, name: NodeVerb): { count: number } {
  const failed = { count: 0 };
  paper.onVerb = (verb) => {
    if (verb !== name || failed.count > 0) return;
    failed.count += 1;
    throw new CommandError("broken", "", `${verb} is broken`);
  };
  return failed;
}
