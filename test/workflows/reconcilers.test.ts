import {
  CreateNetworkInterfaceCommand,
  CreateVolumeCommand,
  DescribeVolumesCommand,
  EC2Client,
} from "@aws-sdk/client-ec2";
import { describe, expect, test } from "vitest";
import { renewCertificates } from "../../functions/reconcilers/certificates/reconcile.ts";
import { reconcileOrphans } from "../../functions/reconcilers/orphans/reconcile.ts";
import { AwsInventory } from "../../layers/aws/inventory.ts";
import { type Cluster, tagNames, unknownHealth, wellSentence } from "../../layers/domain/index.ts";
import { newId } from "../../layers/runtime/ids.ts";
import { type Cloud, openCloud, zones } from "../world/cloud.ts";
import { ControlPlane } from "../world/control-plane.ts";
import { useDynamoDB } from "../world/dynamodb.ts";
import { inventory, inventoryOf } from "../world/expectations.ts";
import { actions, last, log, make, minuteMs, Starts } from "./support/seen-clusters.ts";

const dynamodb = useDynamoDB();

describe("certificates", () => {
  async function renew(cloud: Cloud, cluster: Cluster, daysLeft: number, afterMs = 0) {
    const executions = new Starts();
    const until = new Date(Date.now() + daysLeft * 24 * 60 * minuteMs).toISOString();
    await cloud.ports.store.updateHealth(cluster.id, {
      status: "available",
      statusReason: wellSentence,
      drift: [],
      record: { ...unknownHealth, certificatesUntil: until },
      events: [],
    });
    const now = () => new Date(Date.now() + afterMs);
    await renewCertificates({ store: cloud.ports.store, executions, now, log });
    return executions.started;
  }

  test("are renewed long before the first one ends, and after a failure again the next day", async () => {
    await using cloud = await openCloud(dynamodb);
    const cluster = await make(cloud);
    expect(await renew(cloud, cluster, 40)).toEqual([]);
    const [started, ...more] = await renew(cloud, cluster, 20);
    expect(more).toEqual([]);
    expect(started?.kind).toBe("rotate-certificates");
    await cloud.ports.store.endOperation(started?.operationId ?? "", {
      state: "failed",
      endedAt: new Date().toISOString(),
      cluster: { status: "available", statusReason: wellSentence },
    });
    expect(await renew(cloud, cluster, 20)).toEqual([]);
    expect(await renew(cloud, cluster, 20, 25 * 60 * minuteMs)).toHaveLength(1);
  });
});

describe("orphans", () => {
  const graceMs = 2 * minuteMs;

  async function reconcile(cloud: Cloud, afterMs = 0): Promise<void> {
    const inventoryOfCloud = new AwsInventory(cloud.ports, cloud.operator);
    const now = () => new Date(Date.now() + afterMs);
    await reconcileOrphans({ store: cloud.ports.store, inventory: inventoryOfCloud, graceMs, now, log });
  }

  function tags(clusterId: string, nodeId: string) {
    return [
      { Key: tagNames.environment, Value: "test" },
      { Key: tagNames.cluster, Value: clusterId },
      { Key: tagNames.node, Value: nodeId },
    ];
  }

  test("of a cluster that is as it should be there is none", async () => {
    await using cloud = await openCloud(dynamodb);
    const cluster = await make(cloud);
    await reconcile(cloud);
    await reconcile(cloud, 10 * graceMs);
    expect(await inventory(cloud)).toEqual(inventoryOf(3));
    expect(await cloud.ports.store.listOrphans()).toEqual([]);
    expect(await actions(cloud, cluster)).toEqual([]);
  });

  test("a second volume of a node is reported once and removed after its time", async () => {
    await using cloud = await openCloud(dynamodb);
    const cluster = await make(cloud);
    const ec2 = new EC2Client(cloud.operator);
    const { VolumeId } = await ec2.send(
      new CreateVolumeCommand({
        AvailabilityZone: zones[0],
        Size: 1,
        TagSpecifications: [{ ResourceType: "volume", Tags: tags(cluster.id, last(cluster.nodes).id) }],
      }),
    );
    await reconcile(cloud);
    await reconcile(cloud, graceMs / 2);
    expect(await actions(cloud, cluster)).toEqual(["orphan-found"]);
    expect((await inventory(cloud))["volume"]).toBe(4);
    await reconcile(cloud, graceMs + minuteMs);
    expect(await inventory(cloud)).toEqual(inventoryOf(3));
    expect(await actions(cloud, cluster)).toEqual(["orphan-found", "orphan-removed"]);
    const { Volumes } = await ec2.send(new DescribeVolumesCommand({}));
    expect(Volumes?.map((one) => one.VolumeId)).not.toContain(VolumeId);
    ec2.destroy();
  });

  test("what is left of a cluster that nobody knows goes, whatever its kind", async () => {
    await using cloud = await openCloud(dynamodb);
    const cluster = await make(cloud);
    await cloud.ports.store.removeCluster(cluster.id);
    await reconcile(cloud);
    expect(await cloud.ports.store.listOrphans()).toHaveLength(3 * 3 + 1 + 8 + 4 + 1);
    // What something else still holds goes in a later run.
    for (let run = 1; run <= 4; run++) await reconcile(cloud, graceMs + run * minuteMs);
    expect(await cloud.leftovers()).toEqual([]);
    expect(await cloud.ports.store.listOrphans()).toEqual([]);
  });

  test("what opens the backups of a cluster that is gone is none, as long as there is one", async () => {
    await using cloud = await openCloud(dynamodb);
    const plane = new ControlPlane(cloud);
    const cluster = await make(cloud);
    const { request } = await plane.carryOut(await plane.writeBackup(cluster.id));
    await plane.delete(cluster.id);
    await reconcile(cloud);
    await reconcile(cloud, 2 * graceMs);
    expect(await inventory(cloud)).toEqual({ parameter: 1 });
    expect(await cloud.ports.store.listOrphans()).toEqual([]);
    await cloud.ports.store.removeBackup(cluster.id, String(request?.["backupId"]));
    await reconcile(cloud);
    await reconcile(cloud, 2 * graceMs);
    expect(await inventory(cloud)).toEqual({});
  });

  test("nothing of a cluster is an orphan while an operation holds it, and what is on record in time stays", async () => {
    await using cloud = await openCloud(dynamodb);
    const cluster = await make(cloud);
    const node = last(cluster.nodes);
    const ec2 = new EC2Client(cloud.operator);
    const made = await ec2.send(
      new CreateNetworkInterfaceCommand({
        SubnetId: cloud.ports.settings.subnets[node.zone],
        TagSpecifications: [{ ResourceType: "network-interface", Tags: tags(cluster.id, node.id) }],
      }),
    );
    const networkInterfaceId = made.NetworkInterface?.NetworkInterfaceId ?? "";
    await reconcile(cloud);
    expect(await cloud.ports.store.listOrphans()).toEqual([
      { name: `network-interface ${networkInterfaceId}`, firstSeenAt: expect.any(String) },
    ]);
    await new ControlPlane(cloud).writeDelete(cluster.id);
    await reconcile(cloud, 2 * graceMs);
    expect((await inventory(cloud))["interface"]).toBe(4);
    expect(await cloud.ports.store.listOrphans()).toEqual([]);
    ec2.destroy();
  });

  test("what is another environment's is not looked at", async () => {
    await using cloud = await openCloud(dynamodb);
    const ec2 = new EC2Client(cloud.operator);
    const [environment, ...others] = tags(newId("cluster"), newId("node"));
    await ec2.send(
      new CreateVolumeCommand({
        AvailabilityZone: zones[0],
        Size: 1,
        TagSpecifications: [
          { ResourceType: "volume", Tags: [{ ...environment, Value: "other" }, ...others] },
        ],
      }),
    );
    await reconcile(cloud);
    await reconcile(cloud, 2 * graceMs);
    expect((await inventory(cloud))["volume"]).toBe(1);
    ec2.destroy();
  });
});
