import { execFile } from "node:child_process";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Cluster, Operation } from "@pgherd/layers/domain";
import { expect, inject, test } from "vitest";
import { api, environment } from "./support/world.ts";

const run = promisify(execFile);

interface List<T> {
  readonly items: T[];
}

const ownerOnly = 0o600;
const permissionBits = 0o777;

test("npm start prints a connection string that psql accepts as it stands", async () => {
  const uri = /postgresql:\/\/\S+/.exec(inject("startOutput"))?.[0] ?? "";
  expect(uri).toContain("sslmode=verify-full");

  const { stdout } = await run("psql", ["-X", "-A", "-t", uri.replace(/['"]$/, ""), "-c", "SELECT 1 + 1"]);

  expect(stdout.trim()).toBe("2");
});

test("npm start run again changes nothing that is up", async () => {
  const before = await environment.file();
  const clusters = await api.get<List<Cluster>>("/v1/clusters");
  const operations = await api.get<List<Operation>>("/v1/operations");

  await environment.npm("start");

  expect(await environment.file()).toEqual(before);
  expect((await api.get("/v1/clusters")).body).toEqual(clusters.body);
  expect((await api.get("/v1/operations")).body).toEqual(operations.body);
});

test("files with credentials are readable by their owner alone", async () => {
  const { tokenFile } = await environment.file();
  for (const file of [tokenFile, join(environment.stateDirectory, "aws.env")]) {
    expect((await stat(file)).mode & permissionBits).toBe(ownerOnly);
  }
});
