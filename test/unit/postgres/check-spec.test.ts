import { describe, expect, test } from "vitest";
import { checkSpec } from "../../../layers/domain/cluster/check.ts";
import type { CreateClusterBody } from "../../../layers/domain/cluster/create-body.ts";
import { extensionNames } from "../../../layers/domain/postgres/extensions.ts";
import { specOf } from "../config/support.ts";

const wrong: readonly (readonly [
  what: string,
  body: Partial<CreateClusterBody>,
  path: string,
  message: RegExp,
])[] = [
  [
    "fewer members than the DCS has",
    { members: 2, dcs: { members: 3 } },
    "/dcs/members",
    /at least as many members, and members is 2/,
  ],
  ["strict without a standby", { members: 1, durability: "strict" }, "/durability", /at least 2 members/],
  [
    "a ttl that stock Patroni does not take",
    { failover: { profile: "fast", wrapper: false } },
    "/failover/profile",
    /raises its ttl to 20 s/,
  ],
  ["PostgreSQL's own database", { database: "postgres" }, "/database", /PostgreSQL's own/],
  ["a template database", { database: "template1" }, "/database", /PostgreSQL's own/],
  ["PgBouncer's console", { database: "pgbouncer" }, "/database", /pooler's own console/],
  [
    "an instance type without our architecture",
    { instanceType: "m5.large" },
    "/instanceType",
    /"m5.large" is not an instance type/,
  ],
  [
    "an extension that is not in the image",
    { extensions: ["vector", "postgis"] },
    "/extensions/1",
    /"postgis" is not an extension of the node image/,
  ],
  ["pgvector by its project's name", { extensions: ["pgvector"] }, "/extensions/0", /called "vector"/],
  [
    "an owned parameter",
    { parameters: { listen_addresses: "*" } },
    "/parameters/listen_addresses",
    /Patroni owns it/,
  ],
  ["a parameter with a slash", { parameters: { "a/b~c": 1 } }, "/parameters/a~1b~0c", /is not a parameter/],
  [
    "a parameter twice",
    { parameters: { TimeZone: "UTC", timezone: "UTC" } },
    "/parameters/timezone",
    /given twice/,
  ],
  [
    "more shared memory than the machine has",
    { parameters: { shared_buffers: "4GB" } },
    "/parameters/shared_buffers",
    /t4g.medium has 3072 MiB/,
  ],
  [
    "more locks than the machine's memory",
    { parameters: { max_locks_per_transaction: 10_000_000 } },
    "/parameters/max_locks_per_transaction",
    /shared memory/,
  ],
  [
    "more WAL than the volume",
    { storage: { sizeGiB: 4 }, parameters: { max_wal_size: "3GB" } },
    "/parameters/max_wal_size",
    /half of the volume/,
  ],
  [
    "slots without limit",
    { parameters: { max_slot_wal_keep_size: -1 } },
    "/parameters/max_slot_wal_keep_size",
    /half of the volume/,
  ],
  [
    "less WAL than two segments",
    { parameters: { min_wal_size: "16MB" } },
    "/parameters/min_wal_size",
    /at least 32MB/,
  ],
  [
    "no connection left",
    { parameters: { max_connections: 25, superuser_reserved_connections: 25 } },
    "/parameters/superuser_reserved_connections",
    /leave none/,
  ],
  ["huge pages that are not there", { parameters: { huge_pages: "on" } }, "/parameters/huge_pages", /try/],
  [
    "a cache that is not whole banks",
    { parameters: { transaction_buffers: 17 } },
    "/parameters/transaction_buffers",
    /multiple of 16/,
  ],
  [
    "a deeper stack than a process has",
    { parameters: { max_stack_depth: "16MB" } },
    "/parameters/max_stack_depth",
    /7680kB/,
  ],
  [
    "a timeout that stops everybody",
    { parameters: { statement_timeout: 5 } },
    "/parameters/statement_timeout",
    /at least 1000ms/,
  ],
  [
    "commits that do not wait under sync",
    { parameters: { synchronous_commit: "off" } },
    "/parameters/synchronous_commit",
    /undoes durability sync/,
  ],
];

describe("refused, with the field and what would be right", () => {
  test.each(wrong)("%s", (_, body, path, message) => {
    expect(checkSpec(specOf(body)).errors).toEqual([{ path, message: expect.stringMatching(message) }]);
  });
});

describe("accepted", () => {
  const right: readonly (readonly [what: string, body: Partial<CreateClusterBody>])[] = [
    ["the defaults", {}],
    ["one member", { members: 1 }],
    ["nine members, seven of them in the DCS", { members: 9, dcs: { members: 7 } }],
    ["every extension of the image", { extensions: [...extensionNames] }],
    [
      "commits that do not wait under async",
      { durability: "async", parameters: { synchronous_commit: "off" } },
    ],
    ["a timeout of none", { parameters: { statement_timeout: 0 } }],
    ["caches of PostgreSQL's own choice", { parameters: { transaction_buffers: 0, wal_buffers: -1 } }],
    ["strict with a standby", { members: 2, durability: "strict" }],
  ];
  test.each(right)("%s", (_, body) => {
    expect(checkSpec(specOf(body)).errors).toEqual([]);
  });
});

test("several mistakes are told together", () => {
  const { errors } = checkSpec(
    specOf({ database: "template0", extensions: ["a", "b"], parameters: { port: 1 } }),
  );
  expect(errors.map((error) => error.path).sort()).toEqual([
    "/database",
    "/extensions/0",
    "/extensions/1",
    "/parameters/port",
  ]);
});

describe("warned about", () => {
  test.each<[string, Partial<CreateClusterBody>, RegExp]>([
    ["one member", { members: 1 }, /no standby/],
    ["a DCS of one", { members: 2 }, /DCS has one member/],
    ["strict with two", { members: 2, durability: "strict" }, /writes wait/],
    ["no autovacuum", { parameters: { autovacuum: false } }, /bloat/],
    [
      "a library that is not loaded",
      { parameters: { "auto_explain.log_analyze": true } },
      /names auto_explain/,
    ],
  ])("%s", (_, body, message) => {
    expect(checkSpec(specOf(body)).warnings.join("\n")).toMatch(message);
  });

  test("nothing, for the defaults", () => {
    expect(checkSpec(specOf()).warnings).toEqual([]);
  });
});
