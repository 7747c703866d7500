import {
  DeleteVolumeCommand,
  DescribeVolumesCommand,
  TerminateInstancesCommand,
  waitUntilInstanceTerminated,
} from "@aws-sdk/client-ec2";
import type { Cluster, ClusterNode, Operation } from "@pgherd/layers/domain";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Answer } from "../support/api.ts";
import { ec2Client } from "../support/aws.ts";
import { Database } from "../support/database.ts";
import { waitFor } from "../support/wait.ts";
import { api, environment } from "../support/world.ts";

interface Refusal {
  readonly code: string;
  readonly detail: string;
}

/** Two looks, a minute apart, each of which waits for two nodes that are gone; and the healing that comes between. */
const noticedSeconds = 240;
const goneSeconds = 120;
const freeSeconds = 240;

describe("a cluster that has lost two of three nodes with their volumes", () => {
  let cluster: Cluster;
  let database: Database;
  let survivor: string;

  beforeAll(async () => {
    cluster = await api.createAvailable({ name: "bereft", storage: { sizeGiB: 2 } });
    database = await Database.of(environment, api, cluster.id);
    await database.sql("readWrite", "admin", "CREATE TABLE kept AS SELECT 7 AS id");
    const { shards } = await api.topology(cluster.id);
    survivor = shards[0]?.members.find(({ role }) => role === "sync-standby")?.nodeId ?? "";
    await lose(cluster.nodes.filter(({ id }) => id !== survivor));
  });

  afterAll(async () => {
    await database[Symbol.asyncDispose]();
    await api.remove(cluster.id);
  });

  const path = (rest: string): string => `/v1/clusters/${cluster.id}${rest}`;

  async function lose(nodes: readonly ClusterNode[]): Promise<void> {
    const ec2 = await ec2Client(environment);
    const InstanceIds = nodes.flatMap(({ instanceId }) => instanceId ?? []);
    const VolumeIds = nodes.flatMap(({ volumeId }) => volumeId ?? []);
    await ec2.send(new TerminateInstancesCommand({ InstanceIds }));
    await waitUntilInstanceTerminated({ client: ec2, maxWaitTime: goneSeconds }, { InstanceIds });
    for (const VolumeId of VolumeIds) await ec2.send(new DeleteVolumeCommand({ VolumeId }));
    ec2.destroy();
  }

  async function volumeCount(): Promise<number> {
    const ec2 = await ec2Client(environment);
    const Filters = [{ Name: "tag:pgherd:cluster", Values: [cluster.id] }];
    const { Volumes = [] } = await ec2.send(new DescribeVolumesCommand({ Filters }));
    ec2.destroy();
    return Volumes.length;
  }

  /** The cluster may be at it to heal itself, which comes to nothing here: an operator calls again when that is over. */
  async function whenFree(
    rest: string,
    body: object,
  ): Promise<Answer<Partial<Refusal> & { readonly operation?: Operation }>> {
    return waitFor("no other operation is at work", freeSeconds, async () => {
      const answer = await api.call<Partial<Refusal> & { operation?: Operation }>("POST", path(rest), {
        body,
      });
      if (answer.body.code === "operation-in-progress") throw new Error(answer.body.detail);
      return answer;
    });
  }

  test("says what is wrong, and makes no majority of newcomers by itself", async () => {
    await waitFor("the status says so", noticedSeconds, async () => {
      const { body } = await api.get<Cluster>(path(""));
      if (/no majority/.test(body.statusReason)) return true;
      throw new Error(`it is ${body.status}: ${body.statusReason}`);
    });
    const replace = cluster.nodes.find(({ id }) => id !== survivor)?.id ?? "";
    const { body, status } = await whenFree(`/nodes/${replace}/replace`, { fresh: true });
    if (body.operation !== undefined) {
      const ended = await api.operationEnd(body.operation.id);
      expect(ended.state).toBe("failed");
      expect(ended.error?.message).toMatch(/recover/);
    } else {
      expect(status).toBe(409);
      expect(body.detail).toMatch(/recover/);
    }
    expect(await volumeCount()).toBe(1);
  });

  test("is not rebuilt before somebody says that data may be lost", async () => {
    const { body, status } = await whenFree("/recover", {});
    expect([status, body.code]).toEqual([409, "data-loss-not-acknowledged"]);
  });

  test("is rebuilt from the survivor, with all that this had", async () => {
    const { body, status } = await whenFree("/recover", { acknowledgeDataLoss: true });
    expect(status, JSON.stringify(body)).toBe(202);
    const ended = await api.operationEnd(body.operation?.id ?? "");
    expect(ended.state, JSON.stringify(ended)).toBe("succeeded");
    expect(ended.result).toMatchObject({ survivor });
    await using rebuilt = await Database.of(environment, api, cluster.id);
    expect(await rebuilt.sql("pooled", "admin", "SELECT id FROM kept")).toBe("7");
    const { dcs, shards } = await api.topology(cluster.id);
    expect(dcs.members.filter(({ healthy }) => healthy)).toHaveLength(3);
    const states = shards[0]?.members.map(({ state }) => state) ?? [];
    expect(states.toSorted()).toEqual(["running", "streaming", "streaming"]);
    expect(await volumeCount()).toBe(3);
  });
});
