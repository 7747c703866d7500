import { mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { dynamicConfiguration, dynamicDrift } from "../../../layers/domain/config/index.ts";
import { stateOf } from "../../../layers/node/service-states.ts";
import { inspectWal } from "../../../layers/node/wal.ts";
import { changedSince, rememberWritten } from "../../../layers/node/written-files.ts";
import { specOf } from "../config/support.ts";

let directory: string;
const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "pgherd-inspection-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test("a file that was changed, removed or opened to others since it was written is named", async () => {
  const record = join(directory, "written.json");
  const names = ["a", "b", "c", "d"];
  const files = names.map((name) => ({ path: join(directory, name), content: name, owner, mode: 0o600 }));
  for (const file of files) await writeFile(file.path, file.content, { mode: 0o600 });
  expect(await changedSince(record)).toEqual([]);
  await rememberWritten(files, record);
  expect(await changedSince(record)).toEqual([]);
  await writeFile(join(directory, "a"), "other");
  await rm(join(directory, "b"));
  await rm(join(directory, "c"));
  await writeFile(join(directory, "c"), "c", { mode: 0o644 });
  expect(await changedSince(record)).toEqual(["a", "b", "c"].map((name) => join(directory, name)));
});

test("WAL that waits for the archive is counted, and the oldest told by its age", async () => {
  const status = join(directory, "pg_wal", "archive_status");
  await mkdir(status, { recursive: true });
  for (const name of ["000000010000000000000001", "000000010000000000000002", "00000002.history"]) {
    await writeFile(join(directory, "pg_wal", name), Buffer.alloc(name.endsWith("y") ? 40 : 4096));
  }
  const [first, second] = ["000000010000000000000001.ready", "000000010000000000000002.ready"];
  for (const name of [second, first, "0.done"]) await writeFile(join(status, name), "");
  const hourAgo = new Date(Date.now() - 3_600_000);
  await utimes(join(status, first), hourAgo, hourAgo);
  const wal = await inspectWal(directory);
  expect(wal).toMatchObject({ bytes: 2 * 4096, readyCount: 2 });
  expect(wal.oldestReadySeconds).toBeGreaterThanOrEqual(3600);
  expect(await inspectWal(join(directory, "nothing"))).toEqual({
    bytes: 0,
    readyCount: 0,
    oldestReadySeconds: null,
    archivedUntil: null,
  });
});

test("on a standby nothing waits: what it had not archived as the leader, the next one has handed in", async () => {
  const status = join(directory, "pg_wal", "archive_status");
  await mkdir(status, { recursive: true });
  await writeFile(join(status, "000000010000000000000001.ready"), "");
  expect(await inspectWal(directory)).toMatchObject({ readyCount: 1 });
  await writeFile(join(directory, "standby.signal"), "");
  expect(await inspectWal(directory)).toMatchObject({ readyCount: 0, oldestReadySeconds: null });
});

test("the archive reaches to when the last segment before the first that waits was full", async () => {
  const status = join(directory, "pg_wal", "archive_status");
  await mkdir(status, { recursive: true });
  const at = (minute: number): Date => new Date(Date.UTC(2026, 0, 1, 0, minute));
  const files = ["01.done", "02.done", "03.ready", "04.done", "05.ready"];
  for (const [minute, file] of files.entries()) {
    const path = join(status, `0000000100000000000000${file}`);
    await writeFile(path, "");
    await utimes(path, at(minute), at(minute));
  }
  await writeFile(join(status, "000000010000000000000009.00000028.backup.done"), "");
  expect((await inspectWal(directory)).archivedUntil).toBe(at(1).toISOString());
});

test("a service that fell over and waits for its next start has failed; one on its way up is not there yet", () => {
  expect(stateOf("active", "running")).toBe("active");
  expect(stateOf("reloading", "reload")).toBe("active");
  expect(stateOf("activating", "auto-restart")).toBe("failed");
  expect(stateOf("failed", "failed")).toBe("failed");
  expect(stateOf("activating", "start")).toBe("inactive");
  expect(stateOf("inactive", "dead")).toBe("inactive");
});

test("Patroni's configuration as it is written is no drift, also after a trip through JSON and while it is paused", () => {
  const wanted = dynamicConfiguration(specOf({ parameters: { work_mem: "8MB" } }));
  const found = JSON.parse(JSON.stringify({ ...wanted, pause: true }));
  expect(dynamicDrift(wanted, found)).toEqual([]);
});

test("every setting that is changed, missing or added is named by its path", () => {
  const wanted = dynamicConfiguration(specOf({}));
  const found = structuredClone(wanted) as { ttl?: number; postgresql: { parameters: object } };
  delete found.ttl;
  found.postgresql.parameters = { ...found.postgresql.parameters, wal_level: "logical", fsync: "off" };
  expect(dynamicDrift(wanted, found)).toEqual([
    "postgresql.parameters.fsync",
    "postgresql.parameters.wal_level",
    "ttl",
  ]);
});

test("two mappings are without drift exactly where they say the same", () => {
  const mapping = fc.dictionary(fc.constantFrom("a", "b", "c"), fc.constantFrom(1, "x", true));
  fc.assert(
    fc.property(mapping, mapping, (left, right) => {
      const same =
        JSON.stringify(Object.entries(left).sort()) === JSON.stringify(Object.entries(right).sort());
      expect(dynamicDrift(left, right).length === 0).toBe(same);
    }),
  );
});
