import type { Cluster, ClusterNode } from "@pgherd/layers/domain";
import type { Observation } from "@pgherd/layers/domain/node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Reply, type World, Worlds } from "./support/world.ts";

let worlds: Worlds;
let world: World;
let cluster: Cluster;

/** The API's promise; a topology may never be older. */
const ageMsMax = 2_000;

beforeAll(async () => {
  worlds = await Worlds.start();
});
afterAll(() => worlds[Symbol.asyncDispose]());
beforeEach(async () => {
  world = await worlds.make();
  const reply = await world.call("POST", "/v1/clusters", { body: { name: "orders", database: "ledger" } });
  cluster = reply.body["cluster"] as unknown as Cluster;
});

const code = (reply: Reply) => [reply.status, reply.body["code"]];
const topology = () => world.call("GET", `/v1/clusters/${cluster.id}/topology`, { role: "viewer" });
const connection = () => world.call("GET", `/v1/clusters/${cluster.id}/connection`, { role: "viewer" });
const instanceOf = (index: number) => `i-${index}`;

async function startNodes(): Promise<readonly ClusterNode[]> {
  const nodes = cluster.nodes.map((node, index) => ({
    ...node,
    state: "running" as const,
    instanceId: instanceOf(index),
    address: `198.18.0.${index + 10}`,
  }));
  for (const node of nodes) await world.store.putNode(cluster.id, node);
  return nodes;
}

function observationOf(nodes: readonly ClusterNode[], quorum = true): Observation {
  const roles = ["leader", "sync-standby", "replica"] as const;
  return {
    members: nodes.map((node, index) => ({
      nodeId: node.id,
      role: roles[index] ?? "replica",
      state: index === 0 ? "running" : "streaming",
      timeline: 3,
      lagBytes: index === 0 ? null : 0,
      pendingRestart: false,
    })),
    dcs: {
      quorum,
      members: nodes.map((node, index) => ({ nodeId: node.id, healthy: true, leader: index === 1 })),
    },
  };
}

describe("GET …/topology", () => {
  test("tells what a node sees, with addresses and zones", async () => {
    const nodes = await startNodes();
    world.nodes.observations.set(instanceOf(0), observationOf(nodes));
    const asked = Date.now();

    const { body } = await topology();

    expect(body).toMatchObject({
      shards: [
        {
          shard: 0,
          scope: `${cluster.id}-0`,
          leader: nodes[0]?.id,
          timeline: 3,
          members: [
            {
              nodeId: nodes[0]?.id,
              address: "198.18.0.10",
              zone: "local-1a",
              role: "leader",
              state: "running",
            },
            { nodeId: nodes[1]?.id, role: "sync-standby", lagBytes: 0 },
            { nodeId: nodes[2]?.id, role: "replica" },
          ],
        },
      ],
      dcs: { quorum: true, members: [{ healthy: true }, { leader: true }, { leader: false }] },
    });
    expect(Date.parse(String(body["observedAt"]))).toBeGreaterThanOrEqual(asked);
    expect(world.nodes.asked).toEqual([instanceOf(0)]);
  });

  test("shows a member that nobody sees", async () => {
    const nodes = await startNodes();
    world.nodes.observations.set(instanceOf(0), observationOf(nodes.slice(0, 2)));

    const { body } = await topology();

    expect(body).toMatchObject({
      shards: [{ members: [{}, {}, { nodeId: nodes[2]?.id, state: "unreachable", role: "replica" }] }],
      dcs: { members: [{}, {}, { healthy: false }] },
    });
  });

  test("asks the next node when one does not answer, or has lost the others", async () => {
    const nodes = await startNodes();
    world.nodes.observations.set(instanceOf(1), observationOf(nodes, false));
    world.nodes.observations.set(instanceOf(2), observationOf(nodes));

    expect((await topology()).body).toMatchObject({ dcs: { quorum: true } });
    expect(world.nodes.asked).toEqual([0, 1, 2].map(instanceOf));
  });

  test("tells what a node without quorum sees when no other node knows better", async () => {
    const nodes = await startNodes();
    world.nodes.observations.set(instanceOf(1), observationOf(nodes, false));

    expect((await topology()).body).toMatchObject({ dcs: { quorum: false } });
  });

  test("answers 503 when no node answers, and logs why", async () => {
    await startNodes();

    expect(code(await topology())).toEqual([503, "cluster-unreachable"]);
    expect(JSON.stringify(world.logs.at(-1))).toContain("no node answered");
  });

  test("answers 409 as long as no node runs", async () => {
    const reply = await topology();

    expect(code(reply)).toEqual([409, "wrong-status"]);
    expect(reply.body["detail"]).toContain("creating");
  });

  test("asks once for many callers at a time, and is never older than two seconds", async () => {
    const nodes = await startNodes();
    world.nodes.observations.set(instanceOf(0), observationOf(nodes));
    world.nodes.delayMs = 20;

    const replies = await Promise.all(Array.from({ length: 20 }, topology));
    expect(replies.every((reply) => reply.status === 200)).toBe(true);
    expect(world.nodes.asked).toHaveLength(1);

    const until = Date.now() + 2 * ageMsMax;
    while (Date.now() < until) {
      const { body } = await topology();
      expect(Date.now() - Date.parse(String(body["observedAt"]))).toBeLessThan(ageMsMax);
    }
    expect(world.nodes.asked.length).toBeLessThan(10);
  });
});

describe("GET …/connection", () => {
  test("names hosts, ports, users and parameters, and holds no password", async () => {
    await startNodes();
    await world.store.putAuthorityCertificate(cluster.id, "-----BEGIN CERTIFICATE-----\n");

    const { status, body } = await connection();

    expect(status).toBe(200);
    const hosts = ["198.18.0.10", "198.18.0.11", "198.18.0.12"];
    const path = `/pgherd/local/${cluster.id}/users`;
    expect(body).toEqual({
      database: "ledger",
      caCertificate: "-----BEGIN CERTIFICATE-----\n",
      users: {
        admin: { name: "admin", passwordParameter: `${path}/admin`, retiring: null },
        client: { name: "client", passwordParameter: `${path}/client`, retiring: null },
      },
      endpoints: {
        readWrite: expect.objectContaining({ hosts, port: 5000 }),
        readOnly: expect.objectContaining({ hosts, port: 5001 }),
        any: expect.objectContaining({ hosts, port: 5002 }),
        pooled: expect.objectContaining({ hosts, port: 6432 }),
      },
    });
    const { uri } = (body["endpoints"] as { readWrite: { uri: string } }).readWrite;
    expect(uri).toMatch(
      /^postgresql:\/\/client@198\.18\.0\.10:5000,198\.18\.0\.11:5000,198\.18\.0\.12:5000\/ledger\?sslmode=verify-full&connect_timeout=3/,
    );
  });

  test("has no pooled endpoint where the spec has no pooler", async () => {
    const reply = await world.call("POST", "/v1/clusters", {
      body: { name: "direct", pooler: { enabled: false } },
    });
    cluster = reply.body["cluster"] as unknown as Cluster;
    await startNodes();
    await world.store.putAuthorityCertificate(cluster.id, "pem");

    expect((await connection()).body).toMatchObject({ endpoints: { pooled: null } });
  });

  test("answers 409 as long as there is no certificate or a node has no address", async () => {
    await world.store.putAuthorityCertificate(cluster.id, "pem");
    expect(code(await connection())).toEqual([409, "wrong-status"]);

    const [first] = await startNodes();
    expect((await connection()).status).toBe(200);
    if (first !== undefined) await world.store.putNode(cluster.id, { ...first, address: null });
    expect(code(await connection())).toEqual([409, "wrong-status"]);
  });
});
