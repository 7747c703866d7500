import { expect, test } from "vitest";
import { failoverWorkflow } from "../../functions/workflows/failover-cluster.ts";
import { reinitializeLoop } from "../../functions/workflows/reinitialize-node.ts";
import { switchoverWorkflow } from "../../functions/workflows/switchover-cluster.ts";
import type { OperationKind } from "../../layers/domain/index.ts";
import { loopHandler, workflowHandler } from "../../layers/runtime/workflow.ts";
import { openCloud } from "../world/cloud.ts";
import { ControlPlane } from "../world/control-plane.ts";
import { useDynamoDB } from "../world/dynamodb.ts";

const dynamodb = useDynamoDB();

/** What a loop does before its first change is to look, which is in its own tests. */
const kinds = [
  "switchover-cluster",
  "failover-cluster",
  "reinitialize-node",
  "pause-cluster",
  "resume-cluster",
  "stop-cluster",
  "start-cluster",
  "rotate-credentials",
  "rotate-certificates",
] satisfies OperationKind[];

test.each(kinds)("%s that is cancelled before it has begun does nothing, and says so", async (kind) => {
  await using cloud = await openCloud(dynamodb);
  const { operation: created } = await new ControlPlane(cloud).create({ name: "orders", members: 2 });
  const { clusterId } = created;
  const before = await cloud.ports.store.getCluster(clusterId);
  const sent: string[] = [];
  const commands: typeof cloud.ports.commands = {
    ...cloud.ports.commands,
    run: (_target, verb) => {
      sent.push(verb);
      return Promise.reject(new Error(`${verb} was sent`));
    },
  };
  const ports = { ...cloud.ports, commands };
  const plane = new ControlPlane(cloud, ports, {
    "switchover-cluster": workflowHandler(switchoverWorkflow, () => ports) as never,
    "failover-cluster": workflowHandler(failoverWorkflow, () => ports) as never,
    "reinitialize-node": loopHandler(reinitializeLoop(), () => ports) as never,
  });
  const nodeId = before?.nodes[1]?.id ?? "";
  const operation = await plane.write(kind, clusterId, { status: "updating", request: { nodeId } });
  await plane.requestCancel(operation);

  const ended = await plane.carryOut(operation);

  expect(ended).toMatchObject({ state: "cancelled", error: { code: "cancelled" } });
  expect(sent).toEqual([]);
  const after = await cloud.ports.store.getCluster(clusterId);
  expect(after).toMatchObject({ activeOperationId: null, nodes: before?.nodes });
  expect(["available", "degraded"]).toContain(after?.status);
  expect(after?.statusReason).toMatch(/cancelled/);
});
