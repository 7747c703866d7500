import type { Cluster, ClusterNode, Operation } from "@pgherd/layers/domain";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nodePaths } from "../../../layers/domain/config/paths.ts";
import { Database } from "../support/database.ts";
import { calmTransactionsPerSecond, Load, prepareLoad } from "../support/load.ts";
import { onMachine } from "../support/machines.ts";
import { api, environment } from "../support/world.ts";

describe("a running cluster becomes what its spec says, and clients of the nodes that stay do not notice", () => {
  let cluster: Cluster;
  let database: Database;
  let load: Load;

  beforeAll(async () => {
    cluster = await api.createAvailable({ name: "changer", storage: { sizeGiB: 2 } });
    database = await Database.of(environment, api, cluster.id);
    await prepareLoad(database);
    const addresses = [node(0), node(2)].flatMap(({ address }) => address ?? []);
    load = await Load.start(database, {
      protocol: "prepared",
      addresses,
      transactionsPerSecond: calmTransactionsPerSecond,
    });
  });

  afterAll(async () => {
    await load[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
    await api.remove(cluster.id);
  });

  function node(index: number): ClusterNode {
    const found = cluster.nodes[index];
    if (found === undefined) throw new Error(`no node ${index}`);
    return found;
  }

  async function clusterNow(): Promise<Cluster> {
    return (await api.get<Cluster>(`/v1/clusters/${cluster.id}`)).body;
  }

  async function change(method: string, path: string, body: unknown): Promise<Operation> {
    const { id } = await api.begin(method, `/v1/clusters/${cluster.id}${path}`, body);
    const ended = await api.operationEnd(id);
    expect((await clusterNow()).status, JSON.stringify(ended)).toBe("available");
    return ended;
  }

  const succeeds = async (method: string, path: string, body: unknown): Promise<void> => {
    const ended = await change(method, path, body);
    expect(ended.state, JSON.stringify(ended)).toBe("succeeded");
  };

  async function onEveryNode(sql: string): Promise<string[]> {
    const { nodes } = await clusterNow();
    return Promise.all(
      nodes.map(async ({ address }) => {
        const psql = ["psql", "-h", nodePaths.postgresSocket, "-XAtc", sql];
        return (await onMachine(address ?? "", ["runuser", "-u", "postgres", "--", ...psql])).trim();
      }),
    );
  }

  /** On every node: an image could lack a library that the spec may name. */
  async function moveLibrary(from: string, to: string): Promise<void> {
    const directory = "/usr/lib/postgresql/17/lib";
    for (const { address } of cluster.nodes) {
      await onMachine(address ?? "", ["mv", `${directory}/${from}`, `${directory}/${to}`]);
    }
  }

  async function states(): Promise<Record<string, string>> {
    const { shards } = await api.topology(cluster.id);
    const members = shards.flatMap((shard) => shard.members);
    return Object.fromEntries(members.map(({ nodeId, state }) => [nodeId, state]));
  }

  test("a restart-only parameter is everywhere after a rolling restart", async () => {
    await succeeds("PATCH", "?apply=restart", { parameters: { max_connections: 150 } });
    expect(await onEveryNode("SHOW max_connections")).toEqual(["150", "150", "150"]);
  });

  test("a value that PostgreSQL does not start with is taken back, and the error has PostgreSQL's own words", async () => {
    await moveLibrary("auto_explain.so", "auto_explain.away");
    try {
      const ended = await change("PATCH", "?apply=restart", {
        parameters: { shared_preload_libraries: "auto_explain" },
      });
      expect(ended.state).toBe("failed");
      expect(ended.error?.message).toMatch(/could not access file "auto_explain"/);
    } finally {
      await moveLibrary("auto_explain.away", "auto_explain.so");
    }
    expect((await clusterNow()).spec.parameters).toEqual({ max_connections: 150 });
    for (const libraries of await onEveryNode("SHOW shared_preload_libraries")) {
      expect(libraries).not.toMatch(/auto_explain/);
    }
  });

  test("another member, and zones stay even; then three again", async () => {
    await succeeds("POST", "/scale", { members: 4 });
    const grown = await clusterNow();
    const counts = [...Map.groupBy(grown.nodes, ({ zone }) => zone).values()].map((nodes) => nodes.length);
    expect(counts.toSorted()).toEqual([1, 1, 2]);
    expect(Object.values(await states())).toHaveLength(4);
    await succeeds("POST", "/scale", { members: 3 });
    expect((await clusterNow()).nodes.map(({ id }) => id)).toEqual(cluster.nodes.map(({ id }) => id));
  });

  test("volumes grow while they are in use", async () => {
    await succeeds("PATCH", "", { storage: { sizeGiB: 3 } });
    expect((await clusterNow()).spec.storage.sizeGiB).toBe(3);
  });

  test("a node that is replaced keeps address and volume", async () => {
    await succeeds("POST", `/nodes/${node(1).id}/replace`, {});
    const [, replaced] = (await clusterNow()).nodes;
    expect(replaced).toMatchObject({ id: node(1).id, address: node(1).address, volumeId: node(1).volumeId });
    expect(replaced?.instanceId).not.toBe(node(1).instanceId);
  });

  test("a node that is replaced afresh keeps its address, and gets its data from the others", async () => {
    await succeeds("POST", `/nodes/${node(1).id}/replace`, { fresh: true });
    const [, replaced] = (await clusterNow()).nodes;
    expect(replaced).toMatchObject({ id: node(1).id, address: node(1).address });
    expect(replaced?.volumeId).not.toBe(node(1).volumeId);
    expect((await states())[node(1).id]).toMatch(/streaming|running/);
  });

  test("through all of this, no transaction failed", async () => {
    const report = await load.end();
    expect(report.complaints).toEqual([]);
    expect(report.transactions.length).toBeGreaterThan(0);
  });
});

test("etcd and proxies can have nodes of their own, and give them up again", async () => {
  const cluster = await api.createAvailable({
    name: "roomy",
    members: 1,
    storage: { sizeGiB: 2 },
    dcs: { placement: "dedicated", members: 1 },
    proxy: { placement: "dedicated", count: 2 },
  });
  try {
    const services = (of: Cluster): string[] => of.nodes.map((node) => node.services.join(" ")).toSorted();
    expect(services(cluster)).toEqual(["etcd", "haproxy pgbouncer", "haproxy pgbouncer", "postgres"]);
    await using database = await Database.of(environment, api, cluster.id);
    await database.sql("pooled", "admin", "CREATE TABLE kept AS SELECT 1 AS id");
    await api.carryOut("PATCH", `/v1/clusters/${cluster.id}`, {
      dcs: { placement: "colocated" },
      proxy: { placement: "colocated" },
    });
    const after = (await api.get<Cluster>(`/v1/clusters/${cluster.id}`)).body;
    expect(services(after)).toEqual(["postgres etcd haproxy pgbouncer"]);
    await using moved = await Database.of(environment, api, cluster.id);
    expect(await moved.sql("pooled", "admin", "SELECT id FROM kept")).toBe("1");
  } finally {
    await api.remove(cluster.id);
  }
});
