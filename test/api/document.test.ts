import { readdir, readFile } from "node:fs/promises";
import { problemKinds } from "@pgherd/layers/domain";
import { Validator } from "@seriousme/openapi-schema-validator";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type World, Worlds } from "./support/world.ts";

let worlds: Worlds;
let world: World;

interface Operation {
  readonly operationId: string;
  readonly description: string;
  readonly parameters?: { name: string }[];
  readonly responses: Record<string, unknown>;
}
type Paths = Record<string, Record<string, Operation>>;

const pages = new URL("../../docs/errors/", import.meta.url);
/** What API Gateway lets a Lambda function answer. */
const responseBytesMax = 6 * 1024 * 1024;

beforeAll(async () => {
  worlds = await Worlds.start();
  world = await worlds.make();
});
afterAll(() => worlds[Symbol.asyncDispose]());

const document = async () => (await world.call("GET", "/openapi.json", { role: null })).body;

test("the document is valid OpenAPI 3.1", async () => {
  const result = await new Validator().validate(structuredClone(await document()));

  expect(result.errors).toBeUndefined();
  expect(result.valid).toBe(true);
  expect((await document())["openapi"]).toMatch(/^3\.1\./);
});

test("the document describes every route of the API", async () => {
  const paths = (await document())["paths"] as Paths;

  expect(
    Object.entries(paths)
      .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`))
      .toSorted(),
  ).toEqual(
    [
      "DELETE /v1/clusters/{clusterId}",
      "DELETE /v1/clusters/{clusterId}/backups/{backupId}",
      "POST /v1/clusters/{clusterId}/backups/{backupId}/drill",
      "GET /v1/clusters/{clusterId}/backups",
      "GET /v1/clusters/{clusterId}/backups/{backupId}",
      "POST /v1/clusters/{clusterId}/backups",
      "POST /v1/clusters/{clusterId}/restore",
      "POST /v1/clusters/{clusterId}/undelete",
      "GET /v1/clusters/{clusterId}/restore-points",
      "POST /v1/clusters/{clusterId}/restore-points",
      "GET /v1/backups",
      "POST /v1/clusters/{clusterId}/restore/{operationId}/rollback",
      "POST /v1/clusters/{clusterId}/restore/{operationId}/confirm",
      "GET /docs",
      "GET /healthz",
      "GET /openapi.json",
      "GET /v1/clusters",
      "GET /v1/clusters/{clusterId}",
      "GET /v1/clusters/{clusterId}/connection",
      "GET /v1/clusters/{clusterId}/events",
      "GET /v1/clusters/{clusterId}/logs",
      "POST /v1/clusters/{clusterId}/pause",
      "POST /v1/clusters/{clusterId}/resume",
      "POST /v1/clusters/{clusterId}/rotate",
      "POST /v1/clusters/{clusterId}/start",
      "POST /v1/clusters/{clusterId}/stop",
      "GET /v1/clusters/{clusterId}/topology",
      "GET /v1/clusters/{clusterId}/metrics",
      "GET /v1/operations",
      "GET /v1/prometheus/targets",
      "GET /v1/prometheus/metrics",
      "GET /v1/operations/{operationId}",
      "POST /v1/clusters",
      "PATCH /v1/clusters/{clusterId}",
      "POST /v1/clusters/{clusterId}/failover",
      "POST /v1/clusters/{clusterId}/recover",
      "POST /v1/clusters/{clusterId}/restart",
      "POST /v1/clusters/{clusterId}/scale",
      "POST /v1/clusters/{clusterId}/nodes/{nodeId}/reinitialize",
      "POST /v1/clusters/{clusterId}/nodes/{nodeId}/replace",
      "POST /v1/clusters/{clusterId}/switchover",
      "POST /v1/operations/{operationId}/cancel",
    ].toSorted(),
  );
});

test("the document names every problem code with a status under which it comes", async () => {
  const whole = await document();
  const { components, paths } = whole as unknown as {
    components: { responses: Record<string, { description: string }> };
    paths: Paths;
  };
  const described = [
    ...Object.values(components.responses).map((response) => JSON.stringify(response)),
    ...Object.values(paths).flatMap((methods) =>
      Object.values(methods).flatMap(({ responses }) =>
        Object.entries(responses).map(([status, response]) => `${status} ${JSON.stringify(response)}`),
      ),
    ),
  ];
  for (const [code, { status }] of Object.entries(problemKinds)) {
    const places = described.filter((text) => text.includes(`\`${code}\``));
    expect(places, code).not.toEqual([]);
    for (const place of places.filter((text) => /^\d{3} /.test(text))) {
      expect(place.startsWith(`${status} `), `${code} under ${place.slice(0, 80)}`).toBe(true);
    }
  }
});

test("every mutation is documented to take an Idempotency-Key and a dry run", async () => {
  const paths = (await document())["paths"] as Paths;
  const mutations = Object.values(paths).flatMap((methods) =>
    Object.entries(methods).flatMap(([method, operation]) => (method === "get" ? [] : [operation])),
  );
  expect(mutations).not.toHaveLength(0);
  for (const operation of mutations) {
    const names = operation.parameters?.map((parameter) => parameter.name);
    expect(names).toEqual(expect.arrayContaining(["Idempotency-Key", "dryRun"]));
  }
});

test("the page for people shows every operation and every problem, without anything from elsewhere", async () => {
  const reply = await world.call("GET", "/docs", { role: null });
  const paths = (await document())["paths"] as Paths;

  expect(reply.headers["content-type"]).toBe("text/html; charset=utf-8");
  expect(Buffer.byteLength(reply.text)).toBeLessThan(responseBytesMax);
  for (const [path, methods] of Object.entries(paths)) {
    expect(reply.text).toContain(`<code>${path}</code>`);
    for (const { operationId } of Object.values(methods)) expect(reply.text).toContain(`id="${operationId}"`);
  }
  for (const code of Object.keys(problemKinds)) expect(reply.text).toContain(`<tr id="${code}">`);
  expect(reply.text).not.toMatch(/<script|src=|https?:\/\/|@import|url\(/);
  const targets = [...reply.text.matchAll(/href="#([^"]+)"/g)].map((match) => match[1]);
  for (const target of targets) expect(reply.text, `#${target}`).toContain(`id="${target}"`);
});

test("healthz answers everyone", async () => {
  expect((await world.call("GET", "/healthz", { role: null })).body).toEqual({ status: "ok" });
});

test("every problem code has its page, and every page its code, with an example that is one", async () => {
  const files = await readdir(pages);
  expect(files.toSorted()).toEqual(
    Object.keys(problemKinds)
      .map((code) => `${code}.md`)
      .toSorted(),
  );
  for (const [code, { status, title }] of Object.entries(problemKinds)) {
    const text = await readFile(new URL(`${code}.md`, pages), "utf8");
    expect(text).toMatch(new RegExp(`^# ${code}\n\n\\*\\*${status}\\*\\* · ${title}\\.`));
    for (const heading of ["When it happens", "What to do", "Example"])
      expect(text).toContain(`## ${heading}`);
    const example: unknown = JSON.parse(/```json\n([\s\S]*?)```/.exec(text)?.[1] ?? "");
    expect(example).toMatchObject({
      type: `/docs#${code}`,
      title,
      status,
      code,
      requestId: expect.any(String),
    });
  }
});
