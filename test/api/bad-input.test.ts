import { type Backup, type Cluster, type ClusterStatus, clusterStatusSchema } from "@pgherd/layers/domain";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { makeAudit, makeOperation, newClusterId, newNodeId, newOperationId } from "./support/fixtures.ts";
import { type CallOptions, type Reply, type World, Worlds } from "./support/world.ts";

/**
 * What every call that changes a cluster answers to whom it makes no sense for, always with nothing changed. A verb
 * that the document has and this table has not fails the first test.
 */

let worlds: Worlds;
let world: World;
let cluster: Cluster;
let backup: Backup;

/** One for all: nothing here changes it. */
beforeAll(async () => {
  worlds = await Worlds.start();
  world = await worlds.make();
  cluster = await world.makeAvailable("orders");
  // The one that is asked to go is not the last one.
  for (let count = 0; count < 2; count += 1) backup = await world.makeBackup(cluster.id);
});
afterAll(() => worlds[Symbol.asyncDispose]());
afterEach(() => world.store.updateClusterStatus(cluster.id, "available", cluster.statusReason));

interface Verb {
  readonly method: "POST" | "PATCH" | "DELETE";
  /** Below `/v1/clusters/{clusterId}`. */
  readonly path: string;
  readonly body?: unknown;
  readonly statuses: readonly ClusterStatus[];
  /** It goes on beside other operations; `backups` do not beside another one of their own family. */
  readonly family?: "backups" | "beside" | "deleted clusters";
}

const well = ["available", "degraded"] as const;
const wellOrUpdating = [...well, "updating"] as const;
const wellOrFailed = [...well, "failed"] as const;
const post = (path: string, statuses: Verb["statuses"], body?: unknown): Verb => ({
  method: "POST",
  path,
  statuses,
  body,
});

const verbs: readonly Verb[] = [
  { method: "PATCH", path: "", statuses: well, body: { members: 5 } },
  { method: "DELETE", path: "", statuses: clusterStatusSchema.options },
  post("/scale", well, { members: 5 }),
  post("/switchover", well, {}),
  post("/failover", wellOrFailed, {}),
  post("/restart", well, {}),
  post("/recover", wellOrFailed, { acknowledgeDataLoss: true }),
  post("/nodes/{nodeId}/reinitialize", well),
  post("/nodes/{nodeId}/replace", well, { fresh: true }),
  post("/pause", well, {}),
  post("/resume", well),
  post("/stop", well),
  post("/start", ["stopped", "degraded"]),
  post("/rotate", well, { what: "passwords" }),
  { ...post("/backups", wellOrUpdating, { type: "full" }), family: "backups" },
  { method: "DELETE", path: "/backups/{backupId}", statuses: wellOrUpdating, family: "backups" },
  { ...post("/backups/{backupId}/drill", clusterStatusSchema.options, {}), family: "beside" },
  {
    ...post("/restore", clusterStatusSchema.options, {
      target: "latest",
      into: { newCluster: { name: "again" } },
    }),
    family: "beside",
  },
  { ...post("/restore-points", wellOrUpdating, { name: "before-release" }), family: "beside" },
  { ...post("/undelete", []), family: "deleted clusters" },
  post("/restore/{operationId}/rollback", well),
  post("/restore/{operationId}/confirm", well),
];

const nameOf = ({ method, path }: Verb): string => `${method} /v1/clusters/{clusterId}${path}`;
const code = (reply: Reply) => [reply.status, reply.body["code"]];
const pathsOf = (reply: Reply) => (reply.body["errors"] as { path: string }[]).map((error) => error.path);

function call(
  { method, path, body }: Verb,
  options: CallOptions & { query?: string; of?: string } = {},
): Promise<Reply> {
  const { query = "", of = cluster.id, ...rest } = options;
  const place = path
    .replace("{nodeId}", cluster.nodes[1]?.id ?? "")
    .replace("{backupId}", backup.id)
    .replace("{operationId}", newOperationId());
  return world.call(method, `/v1/clusters/${of}${place}${query}`, {
    ...(body === undefined ? {} : { body }),
    ...rest,
  });
}

async function expectRefused(expected: readonly [number, string], ask: () => Promise<Reply>): Promise<Reply> {
  const before = await world.items();
  const started = world.executions.started.length;
  const reply = await ask();
  expect(code(reply), reply.text).toEqual(expected);
  expect(await world.items()).toEqual(before);
  expect(world.executions.started).toHaveLength(started);
  return reply;
}

test("the table has every call of the document that changes a cluster", async () => {
  const { paths } = (await world.call("GET", "/openapi.json", { role: null })).body as {
    paths: Record<string, Record<string, unknown>>;
  };
  const documented = Object.entries(paths)
    .filter(([path]) => path.startsWith("/v1/clusters/{clusterId}"))
    .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`))
    .filter((name) => !name.startsWith("GET "));
  expect(verbs.map(nameOf).toSorted()).toEqual(documented.toSorted());
});

describe.each(verbs.map((verb) => [nameOf(verb), verb] as const))("%s", (_name, verb) => {
  test("by an If-Match that is stale is refused, as a dry run too", async () => {
    const headers = { "if-match": '"7"' };
    await expectRefused([412, "precondition-failed"], () => call(verb, { headers }));
    await expectRefused([412, "precondition-failed"], () => call(verb, { headers, query: "?dryRun=true" }));
  });

  test.each(["7", '"7', "W/7"])("by the If-Match %j, which is no list of tags, is refused", async (tag) => {
    const reply = await expectRefused([422, "invalid-request"], () =>
      call(verb, { headers: { "if-match": tag } }),
    );
    expect(pathsOf(reply)).toEqual(["If-Match"]);
  });

  const isBeside = verb.family === "beside" || verb.family === "deleted clusters";
  if (!isBeside) {
    test("beside another operation is refused, and names it", async () => {
      const isBackup = verb.family === "backups";
      const kind = isBackup ? "backup-cluster" : "rotate-certificates";
      const operation = makeOperation(cluster.id, { kind, request: { backupId: backup.id } });
      const start = { operation, audit: makeAudit(cluster.id), idempotency: null };
      const claim = {
        status: "updating",
        statusReason: "As the test has it.",
        expectedGeneration: 1,
      } as const;
      if (isBackup) await world.store.startBackupOperation(start, backup);
      else await world.store.startOperation(start, claim);
      const refusal = isBackup ? "backup-in-progress" : "operation-in-progress";
      for (const query of ["", "?dryRun=true"]) {
        const reply = await expectRefused([409, refusal], () => call(verb, { query }));
        expect(reply.body["detail"]).toContain(operation.id);
      }
      await world.store.endOperation(operation.id, { state: "succeeded", endedAt: operation.createdAt });
    });
  }

  const others = clusterStatusSchema.options.filter((status) => !verb.statuses.includes(status));
  if (verb.family === "deleted clusters") {
    test.each(others)(
      "while the cluster is there, and %s, is refused, and says what it is",
      async (status) => {
        await world.store.updateClusterStatus(cluster.id, status, "As the test has it.");
        for (const query of ["", "?dryRun=true"]) {
          const reply = await expectRefused([409, "not-deleted"], () => call(verb, { query }));
          expect(reply.body["detail"]).toContain(`it is ${status}. As the test has it.`);
        }
      },
    );
  }

  test.each(verb.family === "deleted clusters" ? [] : others)(
    "while the cluster is %s is refused with the statuses in which it is not",
    async (status) => {
      await world.store.updateClusterStatus(cluster.id, status, "As the test has it.");
      const reply = await expectRefused([409, "wrong-status"], () => call(verb));
      const [last, ...others] = verb.statuses.toReversed();
      expect(reply.body["detail"]).toContain(`while it is ${others.toReversed().join(", ")} or ${last};`);
      expect(reply.body["detail"]).toContain(`cluster ${cluster.id} is ${status}. As the test has it.`);
      await expectRefused([409, "wrong-status"], () => call(verb, { query: "?dryRun=true" }));
    },
  );

  test("of a cluster that is not there, or by what is no id, finds nothing", async () => {
    for (const of of [newClusterId(), newOperationId(), "orders", `${cluster.id}0`]) {
      await expectRefused([404, "not-found"], () => call(verb, { of }));
    }
  });

  test.each([
    ["?colour=red", "colour"],
    ["?dryRun=perhaps", "dryRun"],
    ["?dryRun=", "dryRun"],
    ["?dryRun=true&dryRun=false", "dryRun"],
  ])("with %s is refused, and names the parameter", async (query, name) => {
    const reply = await expectRefused([422, "invalid-request"], () => call(verb, { query }));
    expect(pathsOf(reply)).toEqual([name]);
  });

  test("with a field that it does not know is refused, and names it", async () => {
    const body = { ...(verb.body as object | undefined), colour: "red" };
    const reply = await expectRefused([422, "invalid-request"], () => call(verb, { body }));
    expect(pathsOf(reply)).toEqual(["/colour"]);
  });

  test.each(["[]", "null", "7", '"x"'])("with the body %s is refused", async (text) => {
    const headers = { "content-type": "application/json" };
    await expectRefused([422, "invalid-request"], () =>
      call({ ...verb, body: undefined }, { text, headers }),
    );
  });

  test("with a body of another type, or what is no JSON, is refused", async () => {
    const ask = (text: string, type: string) =>
      call({ ...verb, body: undefined }, { text, headers: { "content-type": type } });
    await expectRefused([415, "unsupported-media-type"], () => ask("a: 1", "text/yaml"));
    await expectRefused([400, "malformed-json"], () => ask("{", "application/json"));
  });

  test("by someone who may only look is refused", async () => {
    await expectRefused([403, "forbidden"], () => call(verb, { role: "viewer" }));
  });
});

describe("a node that is named in the path", () => {
  let other: Cluster;
  beforeAll(async () => {
    other = await world.makeAvailable("invoices");
  });

  const ofNodes = verbs.filter(({ path }) => path.includes("{nodeId}"));
  test.each(ofNodes.map((verb) => [nameOf(verb), verb] as const))(
    "must be one of the cluster's own: %s",
    async (_name, verb) => {
      for (const nodeId of [other.nodes[0]?.id ?? "", newNodeId(), "pg1", cluster.id]) {
        const path = verb.path.replace("{nodeId}", nodeId);
        await expectRefused([404, "not-found"], () => call({ ...verb, path }));
      }
    },
  );
});

describe("a body that is meant to break something", () => {
  const headers = { "content-type": "application/json", "idempotency-key": "one" };
  const patch = (text: string): Promise<Reply> =>
    world.call("PATCH", `/v1/clusters/${cluster.id}`, { text, headers });

  test.each([
    ['{"__proto__":{"members":5}}', "/__proto__"],
    ['{"parameters":{"__proto__":{"work_mem":"8MB"}}}', "/parameters/__proto__"],
    ['{"tags":{"__proto__":"x"}}', "/tags/__proto__"],
    ['{"storage":{"__proto__":{"sizeGiB":40}}}', "/storage/__proto__"],
    ['{"constructor":{"prototype":{}}}', "/constructor"],
  ])("%s is refused, and names the field", async (text, path) => {
    const reply = await expectRefused([422, "invalid-request"], () => patch(text));
    expect(pathsOf(reply)).toContain(path);
  });

  test.each([
    ["arrays", "[", "]"],
    ["objects", '{"a":', "}"],
  ])("%s in each other, thousands deep, is refused", async (_name, open, close) => {
    const depth = 9_000;
    const text = `{"tags":${open.repeat(depth)}1${close.repeat(depth)}}`;
    const reply = await expectRefused([422, "invalid-request"], () => patch(text));
    expect(reply.body["errors"]).toEqual([
      expect.objectContaining({ message: expect.stringMatching(/deep/) }),
    ]);
  });
});
