import { execFile, spawn } from "node:child_process";
import { appendFile, mkdtemp, open, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { checkOpenFilesSeen, openFilesOf } from "../../../layers/node/logical/child.ts";
import { DumpProgress, plainVersion } from "../../../layers/node/logical/databases.ts";
import { DumpSpool, segmentBytes } from "../../../layers/node/logical/dump-spool.ts";
import { ObjectWriter } from "../../../layers/node/logical/object-writer.ts";
import { Seal } from "../../../layers/node/logical/seal.ts";
import { PaperObjects } from "./support/objects.ts";

let directory: string;
let spool: DumpSpool;
const isOpen = new Set<string>();
const freed: [string, number][] = [];

beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), "pgherd-spool-")));
  const writer = new ObjectWriter(new PaperObjects(), String, new Seal("pass", Buffer.alloc(32)));
  isOpen.clear();
  freed.length = 0;
  spool = new DumpSpool(directory, writer, {
    openFiles: async () => isOpen,
    free: async (path, bytes) => void freed.push([path, bytes]),
  });
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const path = (name: string): string => join(directory, name);
const sizes = (): Record<string, number> =>
  Object.fromEntries(spool.files.map(({ bytes, name }) => [name, bytes]));

describe("of what pg_dump writes", () => {
  test("a file that is closed is taken whole and goes, however small it is", async () => {
    await writeFile(path("1.dat.zst"), "some");
    await writeFile(path("2.dat.zst"), "more of it");
    isOpen.add(path("2.dat.zst"));
    await spool.sweep(false);
    expect(sizes()).toEqual({ "1.dat.zst": 4 });
    expect(await readdir(directory)).toEqual(["2.dat.zst"]);
    expect(await spool.waitingBytes()).toBe(10);
  });

  test("a file that grows is taken piece by piece, and what is taken is given back to the volume", async () => {
    const name = path("1.dat.zst");
    isOpen.add(name);
    await writeFile(name, Buffer.alloc(segmentBytes + 5, 1));
    await spool.sweep(false);
    expect(freed).toEqual([[name, segmentBytes]]);
    expect(await spool.waitingBytes()).toBe(5);
    await appendFile(name, Buffer.alloc(2 * segmentBytes, 2));
    await spool.sweep(false);
    expect(freed.at(-1)).toEqual([name, 3 * segmentBytes]);
    isOpen.delete(name);
    await spool.sweep(false);
    expect(sizes()).toEqual({ "1.dat.zst": 3 * segmentBytes + 5 });
    expect(spool.files[0]?.segments).toHaveLength(4);
    expect(await readdir(directory)).toEqual([]);
  });

  test("a file that has just been made and has nothing in it yet is left alone", async () => {
    await writeFile(path("1.dat.zst"), "");
    await spool.sweep(false);
    expect(await readdir(directory)).toEqual(["1.dat.zst"]);
  });

  test("everything is taken once it has ended", async () => {
    await writeFile(path("toc.dat"), "contents");
    isOpen.add(path("toc.dat"));
    await spool.sweep(true);
    expect(sizes()).toEqual({ "toc.dat": 8 });
  });

  test("nothing is taken for complete that is still written to", async () => {
    isOpen.add(`${path("1.dat.zst")} (deleted)`);
    await expect(spool.sweep(false)).rejects.toMatchObject({ code: "dump-incomplete" });
  });
});

test("a hole where data was gives room back and leaves what comes after it as it is", async () => {
  const name = path("1.dat.zst");
  await writeFile(name, Buffer.concat([Buffer.alloc(segmentBytes, 1), Buffer.from("rest")]));
  await promisify(execFile)("fallocate", ["--punch-hole", "--offset=0", `--length=${segmentBytes}`, name]);
  const handle = await open(name, "r");
  const { blocks, size } = await handle.stat();
  const { buffer } = await handle.read(Buffer.alloc(4), 0, 4, segmentBytes);
  await handle.close();
  expect(size).toBe(segmentBytes + 4);
  expect(blocks * 512).toBeLessThan(segmentBytes / 2);
  expect(buffer.toString()).toBe("rest");
});

describe("the files that programs have open", () => {
  test("are seen on this machine", async () => {
    await checkOpenFilesSeen(directory);
    expect(await readdir(directory)).toEqual([]);
  });

  test("are those of every process of the group, and of no other", async () => {
    const child = spawn("sh", ["-c", "(exec 3> 1.dat; exec sleep 60) & exec 3> 2.dat; wait"], {
      cwd: directory,
      detached: true,
      stdio: "ignore",
    });
    const { pid = 0 } = child;
    try {
      await expect
        .poll(async () => [...(await openFilesOf(pid))].filter((one) => one.startsWith(directory)).toSorted())
        .toEqual([path("1.dat"), path("2.dat")]);
      expect([...(await openFilesOf(process.pid))].some((one) => one.startsWith(directory))).toBe(false);
    } finally {
      process.kill(-pid, "SIGKILL");
    }
  });
});

test("progress goes by the tables that are copied, and counts those of before as done", () => {
  const progress = new DumpProgress("app");
  progress.seen([{ table: "a", share: 0.25, sizeBytes: 1000 }]);
  expect(progress.bytesDone).toBe(250);
  progress.seen([
    { table: "a", share: 1.4, sizeBytes: 1000 },
    { table: "b", share: 0.5, sizeBytes: 200 },
  ]);
  expect(progress.bytesDone).toBe(1100);
  progress.seen([]);
  expect(progress.bytesDone).toBe(1200);
});

test.each([
  ["17.5 (Debian 17.5-1.pgdg)", "17.5"],
  ["pg_dump (PostgreSQL) 17.11 (Debian 17.11-0+deb13u1)", "17.11"],
  ["18beta1", "18beta1"],
])("the version in %j is %s", (text, version) => {
  expect(plainVersion(text)).toBe(version);
});
