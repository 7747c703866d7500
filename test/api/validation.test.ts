import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type World, Worlds } from "./support/world.ts";

let worlds: Worlds;
let world: World;

beforeAll(async () => {
  worlds = await Worlds.start();
  world = await worlds.make();
});
afterAll(() => worlds[Symbol.asyncDispose]());

const groups = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `sg-000000${index + 10}`);

/** What is sent beside a good name → where the mistake is → what is said about it. */
const mistakes: readonly [Record<string, unknown>, string, RegExp][] = [
  [{ name: undefined }, "/name", /required/],
  [{ name: 7 }, "/name", /must be a string, not 7/],
  [{ name: null }, "/name", /must be a string, not null/],
  [{ name: "Orders" }, "/name", /lower-case/],
  [{ name: "ab" }, "/name", /3 to 30/],
  [{ name: "orders-" }, "/name", /no hyphen last/],
  [{ name: "o".repeat(31) }, "/name", /3 to 30/],
  [{ postgresVersion: 16 }, "/postgresVersion", /must be 17, not 16/],
  [{ postgresVersion: "17" }, "/postgresVersion", /17/],
  [{ members: 0 }, "/members", /at least 1/],
  [{ members: 10 }, "/members", /at most 9/],
  [{ members: 2.5 }, "/members", /whole number/],
  [{ members: "3" }, "/members", /must be a (whole )?number, not "3"/],
  [{ members: true }, "/members", /not true/],
  [{ members: [] }, "/members", /not an array/],
  [{ instanceType: "x1.galactic" }, "/instanceType", /x1\.galactic/],
  [{ instanceType: "" }, "/instanceType", /at least 1 character$/],
  [{ storage: 20 }, "/storage", /must be an object/],
  [{ storage: { sizeGiB: 0 } }, "/storage/sizeGiB", /at least 1/],
  [{ storage: { sizeGiB: 20_000 } }, "/storage/sizeGiB", /at most 16384/],
  [{ storage: { sizeGib: 20 } }, "/storage/sizeGib", /unknown here; known are sizeGiB/],
  [{ database: "My-Db" }, "/database", /lower-case/],
  [{ database: "postgres" }, "/database", /PostgreSQL's own/],
  [{ database: "pg_stuff" }, "/database", /pg_/],
  [{ extensions: "vector" }, "/extensions", /must be an array/],
  [{ extensions: ["vector", 7] }, "/extensions/1", /must be a string/],
  [{ extensions: ["timescaledb"] }, "/extensions/0", /timescaledb/],
  [{ durability: "eventual" }, "/durability", /one of "async", "sync", "strict", "quorum"/],
  [{ parameters: [] }, "/parameters", /must be an object/],
  [{ parameters: { work_mem: null } }, "/parameters/work_mem", /a string or a number or true or false/],
  [{ parameters: { work_mem: { a: 1 } } }, "/parameters/work_mem", /not an object/],
  [{ parameters: { not_a_parameter: 1 } }, "/parameters/not_a_parameter", /./],
  [{ parameters: { work_mem: "lots" } }, "/parameters/work_mem", /./],
  [{ parameters: { max_connections: -1 } }, "/parameters/max_connections", /./],
  [{ parameters: { listen_addresses: "*" } }, "/parameters/listen_addresses", /./],
  [{ parameters: { archive_command: "true" } }, "/parameters/archive_command", /./],
  [{ parameters: { hot_standby: false } }, "/parameters/hot_standby", /./],
  [{ dcs: { members: 2 } }, "/dcs/members", /one of 1, 3, 5, 7/],
  [{ dcs: { members: 5 }, members: 3 }, "/dcs/members", /at least as many members/],
  [{ dcs: { placement: "elsewhere" } }, "/dcs/placement", /one of "colocated", "dedicated"/],
  [{ dcs: { instanceType: "t4g.micro" } }, "/dcs/instanceType", /set dcs.placement to "dedicated"/],
  [{ dcs: { placement: "dedicated", instanceType: "huge" } }, "/dcs/instanceType", /t4g/],
  [{ proxy: { placement: "dedicated", count: 1 } }, "/proxy/count", /at least 2/],
  [{ proxy: { count: 3 } }, "/proxy/count", /set proxy.placement to "dedicated"/],
  [{ proxy: { enabled: false } }, "/proxy/enabled", /unknown/],
  [{ pooler: { enabled: "yes" } }, "/pooler/enabled", /true or false/],
  [{ pooler: { mode: "statement" } }, "/pooler/mode", /"transaction", "session"/],
  [{ pooler: { maxClientConnections: 1 } }, "/pooler/maxClientConnections", /at least 10/],
  [{ access: { cidrs: ["10.0.0.0"] } }, "/access/cidrs/0", /10\.0\.0\.0\/16/],
  [{ access: { cidrs: ["10.0.0.0/33"] } }, "/access/cidrs/0", /network/],
  [{ access: { cidrs: "10.0.0.0/8" } }, "/access/cidrs", /an array/],
  [{ access: { securityGroupIds: ["web"] } }, "/access/securityGroupIds/0", /such as sg-0a1b2c3d/],
  [{ access: { securityGroupIds: "sg-0a1b2c3d" } }, "/access/securityGroupIds", /an array/],
  [{ access: { securityGroupIds: groups(21) } }, "/access/securityGroupIds", /at most 20/],
  [
    { access: { cidrs: ["10.0.0.0/8"], securityGroupIds: groups(20) } },
    "/access/securityGroupIds",
    /at most 20 in all, not 21/,
  ],
  [{ deletionProtection: "false" }, "/deletionProtection", /true or false/],
  [{ tags: { team: 7 } }, "/tags/team", /must be a string/],
  [{ tags: Object.fromEntries(Array.from({ length: 41 }, (_, n) => [`t${n}`, ""])) }, "/tags", /at most 40/],
  [{ shards: 2 }, "/shards", /unknown/],
  [
    { backup: { engine: "pgbackrest" } },
    "/backup/engine",
    /unknown here; known are schedules, retention, drill, verify, retainAfterDeleteDays, store/,
  ],
  [
    { backup: { schedules: { weekly: null } } },
    "/backup/schedules/weekly",
    /known are full, diff, incr, logical/,
  ],
  [{ backup: { schedules: { full: 7 } } }, "/backup/schedules/full", /a string/],
  [{ backup: { schedules: { full: "" } } }, "/backup/schedules/full", /five fields/],
  [{ backup: { schedules: { full: "@daily" } } }, "/backup/schedules/full", /five fields/],
  [{ backup: { schedules: { diff: "0 2 * *" } } }, "/backup/schedules/diff", /five fields/],
  [{ backup: { schedules: { incr: "0 0 2 * * 1" } } }, "/backup/schedules/incr", /five fields/],
  [{ backup: { schedules: { incr: "60 2 * * *" } } }, "/backup/schedules/incr", /limits of its fields/],
  [{ backup: { schedules: { incr: "0 2 * * FOO" } } }, "/backup/schedules/incr", /limits of its fields/],
  [{ backup: { schedules: { incr: "0 2 L * *" } } }, "/backup/schedules/incr", /day of the month, not "L"/],
  [{ backup: { schedules: { incr: "0 2 1 * 1" } } }, "/backup/schedules/incr", /one of them, not both/],
  [{ backup: { schedules: { incr: "0 2 31 2 *" } } }, "/backup/schedules/incr", /day that comes/],
  [
    { backup: { schedules: { incr: `${"0,".repeat(60)}0 2 * * *` } } },
    "/backup/schedules/incr",
    /at most 100/,
  ],
  [{ backup: { retention: { full: 0 } } }, "/backup/retention/full", /at least 1/],
  [{ backup: { retention: { diff: 367 } } }, "/backup/retention/diff", /at most 366/],
  [{ backup: { retention: { full: null } } }, "/backup/retention/full", /not null/],
  [{ backup: { retention: { incr: 3 } } }, "/backup/retention/incr", /known are full, diff, logical/],
  [{ backup: { retention: { logical: 0 } } }, "/backup/retention/logical", /at least 1/],
  [{ backup: { retention: { logical: 367 } } }, "/backup/retention/logical", /at most 366/],
  [{ backup: { schedules: { logical: "daily" } } }, "/backup/schedules/logical", /five fields/],
  [{ backup: 7 }, "/backup", /must be an object/],
  [{ backup: { keepDays: 7 } }, "/backup/keepDays", /unknown/],
  [{ backup: { retainAfterDeleteDays: -1 } }, "/backup/retainAfterDeleteDays", /at least 0/],
  [{ backup: { retainAfterDeleteDays: 4000 } }, "/backup/retainAfterDeleteDays", /at most 3650/],
  [{ colour: "red" }, "/colour", /unknown here; known are name, postgresVersion/],
  [{ "a/b~c": 1 }, "/a~1b~0c", /unknown/],
];

test.each(mistakes)("%j is refused at %s", async (mistake, path, message) => {
  const reply = await world.call("POST", "/v1/clusters", { body: { name: "orders", ...mistake } });

  expect([reply.status, reply.body["code"]], reply.text).toEqual([422, "invalid-request"]);
  const errors = reply.body["errors"] as { path: string; message: string }[];
  expect(errors.find((error) => error.path === path)?.message, reply.text).toMatch(message);
});

test.each([["[]"], ["null"], ["7"], ['"orders"']])("the body %s is refused as a whole", async (text) => {
  const reply = await world.call("POST", "/v1/clusters", {
    text,
    headers: { "content-type": "application/json" },
  });

  expect(reply.status).toBe(422);
  expect(reply.body["errors"]).toContainEqual({
    path: "",
    message: expect.stringContaining("must be an object"),
  });
});

test("every mistake is told at once, those of the query too", async () => {
  const reply = await world.call("POST", "/v1/clusters?colour=red", {
    body: { name: "X", members: 0, dcs: { members: 2 }, colour: "red" },
  });

  const errors = reply.body["errors"] as { path: string }[];
  expect(errors.map((error) => error.path).toSorted()).toEqual(
    ["/colour", "/dcs/members", "/members", "/name", "colour"].toSorted(),
  );
});

describe("a refused create", () => {
  test("has written and started nothing", async () => {
    expect(await world.items()).toEqual([]);
    expect(world.executions.started).toEqual([]);
  });
});

test.each([
  [{ members: 9, dcs: { members: 7 } }],
  [{ members: 1 }],
  [{ members: 2 }],
  [{ members: 2, dcs: { members: 3, placement: "dedicated", instanceType: "t4g.small" } }],
  [{ proxy: { placement: "dedicated", count: 4, instanceType: "t4g.micro" } }],
  [{ durability: "async" }],
  [{ durability: "strict" }],
  [{ durability: "quorum" }],
  [{ extensions: ["vector", "pg_trgm"] }],
  [{ parameters: { work_mem: "8MB", max_connections: 200, log_min_duration_statement: 500, jit: false } }],
  [{ access: { cidrs: ["10.0.0.0/8", "192.0.2.1/32"] } }],
  [{ access: { securityGroupIds: [] } }],
  [{ backup: { schedules: { full: "*/15 * * * *", diff: null, incr: "5-55/10 * * JAN-JUN MON-FRI" } } }],
  [{ backup: { schedules: { full: null }, retention: { full: 1, diff: 366 } } }],
  [{ backup: { retainAfterDeleteDays: 0 } }],
  [{ tags: { team: "billing" }, deletionProtection: true, database: "ledger" }],
])("%j is accepted", async (spec) => {
  const accepting = await worlds.make();

  const reply = await accepting.call("POST", "/v1/clusters", { body: { name: "orders", ...spec } });

  expect(reply.status, reply.text).toBe(202);
  expect((reply.body["cluster"] as { spec: unknown }).spec).toMatchObject(spec);
});
