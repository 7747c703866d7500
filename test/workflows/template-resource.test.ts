import { expect, test } from "vitest";
import type { Operation } from "../../layers/domain/index.ts";
import { CommandError, type NodeCommandPort } from "../../layers/ports/index.ts";
import { type Cloud, openCloud } from "../world/cloud.ts";
import { ControlPlane } from "../world/control-plane.ts";
import { openConverging } from "../world/converging.ts";
import { useDynamoDB } from "../world/dynamodb.ts";
import { inventory, inventoryOf } from "../world/expectations.ts";
import { TemplateResource } from "../world/template.ts";

const dynamodb = useDynamoDB();

const orders = { name: "orders", members: 1 } as const;

async function operationsOf({ ports }: Cloud, clusterId: string): Promise<readonly Operation[]> {
  return (await ports.store.listOperations({ limit: 100, cursor: null, clusterId })).items;
}

const kindsOf = async (cloud: Cloud, clusterId: string): Promise<string[]> =>
  (await operationsOf(cloud, clusterId)).map(({ kind }) => kind).toReversed();

test("a cluster in a template is made once, however often CloudFormation asks, and says how to connect", async () => {
  await using cloud = await openCloud(dynamodb);
  const resource = new TemplateResource(cloud, new ControlPlane(cloud));
  const data = await resource.carryOut(resource.request("Create", orders));
  const clusterId = data["ClusterId"] ?? "";
  const cluster = await cloud.ports.store.getCluster(clusterId);
  expect(cluster).toMatchObject({ name: "orders", status: "available" });
  expect(data).toMatchObject({
    Hosts: cluster?.nodes[0]?.address,
    ReadWritePort: "5000",
    PooledPort: "6432",
    Database: "app",
    ClientUser: "client",
    ClientPasswordParameter: expect.stringContaining(clusterId),
    CaCertificate: expect.stringContaining("BEGIN CERTIFICATE"),
  });
  expect(Buffer.byteLength(JSON.stringify(data))).toBeLessThan(4096);
  const [operation, ...more] = await operationsOf(cloud, clusterId);
  expect(more).toEqual([]);
  expect(operation).toMatchObject({ id: data["OperationId"], startedBy: "cloudformation:shop" });
  expect(await inventory(cloud)).toEqual(inventoryOf(1));
});

test("a cluster that is at work is looked at again, and says nothing before it is done", async () => {
  await using cloud = await openCloud(dynamodb);
  const resource = new TemplateResource(cloud, new ControlPlane(cloud));
  const request = resource.request("Create", orders);
  await request.begin();
  expect(await request.look()).toEqual({ IsComplete: false });
  await request.settle();
  expect(await request.look()).toMatchObject({ IsComplete: true });
});

test("a create that fails says why, and the delete that CloudFormation sends then leaves nothing", async () => {
  await using cloud = await openCloud(dynamodb);
  const { commands } = cloud.ports;
  const broken: NodeCommandPort = {
    awaitOnline: (...call) => commands.awaitOnline(...call),
    run: (target, verb, input) => {
      if (verb === "configure") throw new CommandError("broken", "", "the disk is broken");
      return commands.run(target, verb, input);
    },
  };
  const plane = new ControlPlane(cloud, { ...cloud.ports, commands: broken });
  // Somebody who deploys protects what is there, not what could not be made.
  const body = { ...orders, deletionProtection: true };
  const resource = new TemplateResource(cloud, plane);
  await expect(resource.carryOut(resource.request("Create", body))).rejects.toThrow(
    /^Operation opn_\w+ \(create-cluster\) failed: .*the disk is broken/,
  );
  await resource.carryOut(resource.request("Delete", body));
  expect(await cloud.leftovers()).toEqual([]);
});

test("a spec that cannot be carried out fails with the field, before anything is made", async () => {
  await using cloud = await openCloud(dynamodb);
  const resource = new TemplateResource(cloud, new ControlPlane(cloud));
  const odd = resource.request("Create", { ...orders, access: { cidrs: ["everywhere"] } });
  await expect(odd.begin()).rejects.toThrow(/^invalid-request: .*\/access\/cidrs\/0 Invalid IPv4 range/);
  const contradictory = resource.request("Create", { ...orders, durability: "strict" });
  await expect(contradictory.begin()).rejects.toThrow(/^invalid-request: .*\/durability strict waits/);
  await cloud.ports.store
    .listClusters({ limit: 1, cursor: null })
    .then(({ items }) => expect(items).toEqual([]));
  // CloudFormation deletes what it could not make, by whatever id it has for it.
  expect(await resource.carryOut(resource.request("Delete", orders))).toEqual({});
});

test("a change of the template converges the cluster, and what the template names no more is the default again", async () => {
  await using cloud = await openCloud(dynamodb);
  const { clusterId, plane, read } = await openConverging(cloud, {
    members: 1,
    parameters: { work_mem: "8MB" },
  });
  const resource = new TemplateResource(cloud, plane, clusterId);
  const body = { name: "orders", members: 3, tags: { team: "shop" } };
  const data = await resource.carryOut(resource.request("Update", body));
  const cluster = await read();
  expect(cluster.spec).toMatchObject({ members: 3, dcs: { members: 3 }, parameters: {}, tags: body.tags });
  expect(data["Hosts"]?.split(",")).toHaveLength(3);
  expect(await kindsOf(cloud, clusterId)).toEqual(["create-cluster", "converge-cluster"]);
  // The same spec in other words asks for nothing.
  const same = await resource.carryOut(resource.request("Update", { ...body, storage: { sizeGiB: 20 } }));
  expect(same).toMatchObject({ ClusterId: clusterId, OperationId: "" });
  expect(await kindsOf(cloud, clusterId)).toHaveLength(2);
});

test("a cluster keeps its name: another one in the template fails the deployment and changes nothing", async () => {
  await using cloud = await openCloud(dynamodb);
  const { clusterId, plane, read } = await openConverging(cloud, { members: 1 });
  const resource = new TemplateResource(cloud, plane, clusterId);
  const renamed = resource.request("Update", { name: "invoices", members: 1 });
  await expect(renamed.begin()).rejects.toThrow(/^immutable-field: .*\/name stays "orders"/);
  expect((await read()).name).toBe("orders");
});

test("a change waits for the operation that holds the cluster, and begins once", async () => {
  await using cloud = await openCloud(dynamodb);
  const { clusterId, plane, read } = await openConverging(cloud, { members: 1 });
  const holding = await plane.write("pause-cluster", clusterId, { status: "available" });
  const resource = new TemplateResource(cloud, plane, clusterId);
  const request = resource.request("Update", { ...orders, tags: { team: "shop" } });
  expect(await request.begin()).toBe(clusterId);
  expect(await request.look()).toEqual({ IsComplete: false });
  await cloud.ports.store.endOperation(holding.id, {
    state: "succeeded",
    endedAt: new Date().toISOString(),
    cluster: { status: "available", statusReason: "" },
  });
  await resource.carryOut(request);
  expect((await read()).spec.tags).toEqual({ team: "shop" });
  expect(await kindsOf(cloud, clusterId)).toEqual(["create-cluster", "pause-cluster", "converge-cluster"]);
});

test("a cluster that is held for longer than CloudFormation waits fails the deployment", async () => {
  await using cloud = await openCloud(dynamodb);
  const { clusterId, plane } = await openConverging(cloud, { members: 1 });
  await plane.write("pause-cluster", clusterId, { status: "available" });
  const resource = new TemplateResource(cloud, plane, clusterId);
  const request = resource.request("Update", { ...orders, tags: { team: "shop" } });
  await request.begin();
  resource.aheadMinutes = 50;
  await expect(request.look()).rejects.toThrow("is held by another operation. Deploy again");
});

test("a protected cluster that leaves the template stays, and the deployment says so", async () => {
  await using cloud = await openCloud(dynamodb);
  const resource = new TemplateResource(cloud, new ControlPlane(cloud));
  const body = { ...orders, deletionProtection: true };
  const { ClusterId: clusterId = "" } = await resource.carryOut(resource.request("Create", body));
  await expect(resource.request("Delete", body).begin()).rejects.toThrow(/^deletion-protected: /);
  expect(await cloud.ports.store.getCluster(clusterId)).toMatchObject({ status: "available" });
  expect(await inventory(cloud)).toEqual(inventoryOf(1));
});

test("a cluster that leaves the template is deleted after a final backup, and deleting it again is done already", async () => {
  await using cloud = await openCloud(dynamodb);
  const resource = new TemplateResource(cloud, new ControlPlane(cloud));
  const { ClusterId: clusterId = "" } = await resource.carryOut(resource.request("Create", orders));
  await resource.carryOut(resource.request("Delete", orders));
  expect(await cloud.ports.store.getCluster(clusterId)).toBeNull();
  // The two of a delete have ids of the same moment.
  const kinds = (await kindsOf(cloud, clusterId)).toSorted();
  expect(kinds).toEqual(["backup-cluster", "create-cluster", "delete-cluster"]);
  expect(await resource.carryOut(resource.request("Delete", orders))).toEqual({});
});

test("beyond CloudFormation's hour another resource waits on, and the last one says what is still at work", async () => {
  await using cloud = await openCloud(dynamodb);
  const resource = new TemplateResource(cloud, new ControlPlane(cloud));
  const request = resource.request("Create", orders, { IsLast: "false" });
  await request.begin();
  resource.aheadMinutes = 49;
  expect(await request.look()).toEqual({ IsComplete: false });
  resource.aheadMinutes = 50;
  const looked = await request.look();
  expect(looked).toMatchObject({
    IsComplete: true,
    Data: { OperationId: expect.stringMatching(/^opn_/), Hosts: "" },
  });
  const operationId = looked.Data?.["OperationId"] ?? "";
  const next = resource.wait(operationId, { IsLast: "false" });
  await next.begin();
  expect(await next.look()).toEqual({ IsComplete: false });
  resource.aheadMinutes = 100;
  expect(await next.look()).toEqual({ IsComplete: true });
  const last = resource.wait(operationId, { IsLast: "true" });
  await last.begin();
  resource.aheadMinutes = 150;
  await expect(last.look()).rejects.toThrow(`${operationId} (create-cluster) is still at work`);
  await request.settle();
  expect(await last.look()).toEqual({ IsComplete: true });
  expect(await resource.wait("", { IsLast: "true" }).look()).toEqual({ IsComplete: true });
});

test("a delete that takes longer than CloudFormation's hour is waited for by further resources, and by no other stack's", async () => {
  await using cloud = await openCloud(dynamodb);
  const resource = new TemplateResource(cloud, new ControlPlane(cloud));
  await resource.carryOut(resource.request("Create", orders));
  // Nobody has asked to delete it: whoever has the name now is none of this stack's.
  expect(await resource.removal("orders", { IsLast: "true" }).look()).toEqual({ IsComplete: true });
  const request = resource.request("Delete", orders, { IsLast: "false" });
  await request.begin();
  resource.aheadMinutes = 49;
  expect(await request.look()).toEqual({ IsComplete: false });
  resource.aheadMinutes = 50;
  expect(await request.look()).toEqual({ IsComplete: true });
  const next = resource.removal("orders", { IsLast: "false" });
  await next.begin();
  expect(await next.look()).toEqual({ IsComplete: false });
  resource.aheadMinutes = 100;
  expect(await next.look()).toEqual({ IsComplete: true });
  const last = resource.removal("orders", { IsLast: "true" });
  await last.begin();
  resource.aheadMinutes = 150;
  await expect(last.look()).rejects.toThrow("(delete-cluster) is still at work");
  await last.settle();
  expect(await last.look()).toEqual({ IsComplete: true });
});
