import type { Cluster } from "@pgherd/layers/domain";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Database } from "../support/database.ts";
import { api, environment } from "../support/world.ts";

let cluster: Cluster;
let database: Database;

beforeAll(async () => {
  cluster = await api.createAvailable({
    name: "durable",
    durability: "quorum",
    storage: { sizeGiB: 1 },
  });
  database = await Database.of(environment, api, cluster.id);
});

afterAll(async () => {
  await database[Symbol.asyncDispose]();
  await api.remove(cluster.id);
});

async function saysSo(standbys: RegExp): Promise<void> {
  expect(await database.sql("readWrite", "admin", "SHOW synchronous_standby_names")).toMatch(standbys);
  expect(await database.sql("readOnly", "client", "SELECT pg_is_in_recovery()")).toBe("t");
}

test("quorum: synchronous_standby_names says so, and a replica serves reads", async () => {
  await saysSo(/^ANY 1 \(/);
});

test.each([
  { durability: "strict", standbys: /^"?nod_/ },
  { durability: "async", standbys: /^$/ },
])(
  "changed to $durability: synchronous_standby_names says so, and a replica serves reads",
  async ({ durability, standbys }) => {
    await api.carryOut("PATCH", `/v1/clusters/${cluster.id}`, { durability });
    await saysSo(standbys);
  },
);
