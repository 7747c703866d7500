import type { Cluster } from "@pgherd/layers/domain";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Database } from "../support/database.ts";
import { waitFor } from "../support/wait.ts";
import { api, environment } from "../support/world.ts";

interface Logs {
  readonly items: { time: string; nodeId: string; message: string }[];
  readonly nextCursor: string | null;
  readonly followCursor: string;
  readonly unreachable: string[];
}

/** journald writes within moments. */
const loggedSeconds = 20;

describe("the logs of a cluster", () => {
  let cluster: Cluster;
  let database: Database;

  beforeAll(async () => {
    cluster = await api.createAvailable({ name: "talker", members: 2, storage: { sizeGiB: 2 } });
    database = await Database.of(environment, api, cluster.id);
  });

  afterAll(async () => {
    await database[Symbol.asyncDispose]();
    await api.remove(cluster.id);
  });

  async function logs(query: string): Promise<Logs> {
    const answer = await api.get<Logs>(`/v1/clusters/${cluster.id}/logs?${query}`);
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    return answer.body;
  }

  test.each([
    ["postgres", /LOG: {2}/],
    ["patroni", /^(INFO|WARNING|ERROR): /],
    ["etcd", /"level":"/],
    ["pgbouncer", /./],
    ["haproxy", /./],
  ])("of %s come from every node that has it, and are its own", async (component, form) => {
    const { items, unreachable } = await logs(`component=${component}&limit=1000`);
    expect(unreachable).toEqual([]);
    const services = { postgres: "postgres", patroni: "postgres" } as Record<string, string>;
    const having = cluster.nodes.filter((node) =>
      node.services.some((service) => service === (services[component] ?? component)),
    );
    expect(new Set(items.map((item) => item.nodeId))).toEqual(new Set(having.map((node) => node.id)));
    expect(items.some((item) => form.test(item.message))).toBe(true);
    const times = items.map((item) => item.time);
    expect(times).toEqual(times.toSorted());
  });

  test("tell PostgreSQL's lines from Patroni's, which come from the same unit", async () => {
    const [postgres, patroni] = await Promise.all([
      logs("component=postgres&limit=1000"),
      logs("component=patroni&limit=1000"),
    ]);
    expect(postgres.items.filter((item) => /^INFO: /.test(item.message))).toEqual([]);
    expect(patroni.items.filter((item) => /\] LOG: {2}/.test(item.message))).toEqual([]);
  });

  test("never show a password, not even of a statement that failed; whoever follows sees it once", async () => {
    const { followCursor } = await logs("component=postgres");
    const secret = "correct-horse-battery-staple";
    const statement = `ALTER ROLE nobody_at_all\nPASSWORD\n'${secret}'`;
    await expect(database.sql("readWrite", "admin", statement)).rejects.toThrow();
    const { items } = await waitFor("the statement is in the log", loggedSeconds, async () => {
      const page = await logs(`component=postgres&cursor=${followCursor}`);
      return page.items.some((item) => item.message.includes("nobody_at_all")) ? page : undefined;
    });
    expect(JSON.stringify(items)).not.toContain(secret);
    const shown = items.filter((item) => /STATEMENT: {2}ALTER ROLE nobody_at_all/.test(item.message));
    expect(shown).toHaveLength(1);
    expect(shown[0]?.message).toContain("[redacted]");
  });

  test("can be of one node, from a time on, and page by page", async () => {
    const [node] = cluster.nodes;
    const since = cluster.createdAt;
    const query = `component=patroni&nodeId=${node?.id}&since=${since}&limit=5`;
    const first = await logs(query);
    expect(first.items).toHaveLength(5);
    expect(new Set(first.items.map((item) => item.nodeId))).toEqual(new Set([node?.id]));
    const second = await logs(`component=patroni&nodeId=${node?.id}&limit=5&cursor=${first.nextCursor}`);
    expect(second.items).toHaveLength(5);
    const last = first.items.at(-1)?.time ?? "";
    for (const item of second.items) expect(item.time >= last).toBe(true);
  });
});
