import { TerminateInstancesCommand } from "@aws-sdk/client-ec2";
import type { Cluster, Operation } from "@pgherd/layers/domain";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ec2Client } from "../support/aws.ts";
import { Database } from "../support/database.ts";
import { waitFor } from "../support/wait.ts";
import { api, environment } from "../support/world.ts";

/** A proxy that has just started needs two checks to find the leader. */
const answersSeconds = 120;

describe("a cluster that is stopped and started", () => {
  let cluster: Cluster;
  let database: Database;
  let isDeleted = false;

  beforeAll(async () => {
    cluster = await api.createAvailable({ name: "sleeper", storage: { sizeGiB: 2 } });
    database = await Database.of(environment, api, cluster.id);
    await database.sql("readWrite", "admin", "CREATE TABLE kept (id int PRIMARY KEY)");
    await database.sql("readWrite", "client", "INSERT INTO kept SELECT generate_series(1, 1000)");
  });

  afterAll(async () => {
    await database[Symbol.asyncDispose]();
    if (!isDeleted) await api.remove(cluster.id);
  });

  const carryOut = (verb: "stop" | "start"): Promise<Operation> =>
    api.carryOut("POST", `/v1/clusters/${cluster.id}/${verb}`);

  const read = async () => (await api.get<Cluster>(`/v1/clusters/${cluster.id}`)).body;
  const places = ({ nodes }: Cluster) =>
    nodes.map(({ id, address, volumeId, zone }) => ({ id, address, volumeId, zone }));
  const rows = () =>
    waitFor("rows are read through 5000", answersSeconds, () =>
      database.sql("readWrite", "client", "SELECT count(*) FROM kept"),
    );

  test("stops with a last checkpoint on every node, and says so wherever it is asked", async () => {
    const ended = await carryOut("stop");
    for (const name of ["replicas", "leader"]) {
      expect(ended.steps.find((step) => step.name === name)?.detail).toMatch(
        /last checkpoint [0-9A-F]+\/[0-9A-F]+/,
      );
    }
    const stopped = await read();
    expect(stopped.status).toBe("stopped");
    expect(stopped.nodes.map((node) => node.state)).toEqual(["stopped", "stopped", "stopped"]);
    expect(places(stopped)).toEqual(places(cluster));
    await expect(database.sql("readWrite", "client", "SELECT 1")).rejects.toThrow();
    const topology = await api.get<{ code: string }>(`/v1/clusters/${cluster.id}/topology`);
    expect([topology.status, topology.body.code]).toEqual([409, "wrong-status"]);
    const connection = await api.get(`/v1/clusters/${cluster.id}/connection`);
    expect(connection.status).toBe(200);
    const again = await api.call<{ code: string }>("POST", `/v1/clusters/${cluster.id}/stop`);
    expect([again.status, again.body.code]).toEqual([409, "wrong-status"]);
  });

  test("starts with every row and address that it had, under the certificate that clients know", async () => {
    await carryOut("start");
    const started = await read();
    expect(started.status).toBe("available");
    expect(places(started)).toEqual(places(cluster));
    expect(await rows()).toBe("1000");
    const again = await api.call<{ code: string }>("POST", `/v1/clusters/${cluster.id}/start`);
    expect([again.status, again.body.code]).toEqual([409, "wrong-status"]);
  });

  test("starts with another instance in the place of one that went meanwhile", async () => {
    await carryOut("stop");
    const gone = cluster.nodes[0]?.instanceId ?? "";
    const ec2 = await ec2Client(environment);
    await ec2.send(new TerminateInstancesCommand({ InstanceIds: [gone] }));
    ec2.destroy();
    await carryOut("start");
    const started = await read();
    expect(places(started)).toEqual(places(cluster));
    expect(started.nodes.map((node) => node.instanceId)).not.toContain(gone);
    expect(await rows()).toBe("1000");
  });

  test("can be deleted while it is stopped", async () => {
    await carryOut("stop");
    const ended = await api.remove(cluster.id);
    expect(ended.state).toBe("succeeded");
    isDeleted = true;
  });
});
