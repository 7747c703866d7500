import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { archiveMender, renderPatroni } from "../../../layers/domain/config/index.ts";
import { intentOf, peerAt, peersOf } from "./support.ts";

const run = promisify(execFile);

let directory: string;
let status: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "pgherd-mender-"));
  status = join(directory, "archive_status");
  await mkdir(status);
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const segment = (number: number, timeline = 1): string =>
  [timeline, 0, number].map((part) => part.toString(16).toUpperCase().padStart(8, "0")).join("");

const segmentBytes = 0x1000;
const history = (timeline: number, lines: readonly string[]): Promise<void> =>
  writeFile(
    join(directory, `${timeline.toString(16).toUpperCase().padStart(8, "0")}.history`),
    lines.join("\n"),
  );

const segments = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => segment(from + index));

/** @param newest of the archive; null: the archive does not answer */
async function promote(newest: string | null, role = "primary"): Promise<string[]> {
  const info = JSON.stringify([{ archive: [{ max: newest }] }]);
  const command = newest === null ? ["/bin/false"] : ["/bin/echo", info];
  const script = join(directory, "mender.py");
  await writeFile(script, archiveMender({ status, info: command }));
  await run("python3", [script, "on_role_change", role, "clu-0"]);
  const files = await readdir(status);
  return files
    .filter((name) => name.endsWith(".ready"))
    .map((name) => name.slice(0, -".ready".length))
    .toSorted();
}

const count = async (names: readonly string[]): Promise<void> => {
  for (const name of names) await writeFile(join(status, `${name}.done`), "");
};

describe("a standby that is promoted", () => {
  test("hands in what the archive does not have, and a little of what it has", async () => {
    await count(segments(1, 100));
    expect(await promote(segment(90))).toEqual(segments(59, 100));
  });

  test("hands in everything where the archive does not answer", async () => {
    await count(segments(1, 100));
    expect(await promote(null)).toEqual(segments(1, 100));
  });

  test("compares segments by their place in the WAL, whatever the timeline", async () => {
    await count([segment(1), segment(2), segment(200)]);
    const ready = await promote(segment(300, 7));
    expect(ready).toEqual([segment(1), segment(2), segment(200)]);
  });

  test("leaves out the segment in which a timeline ended, and what came after it there: it may be half a segment", async () => {
    const own = segment(4, 3);
    await count([segment(1), segment(2), segment(3), segment(2, 2), segment(3, 2), own]);
    for (const name of [segment(1), segment(2), segment(3), segment(2, 2), segment(3, 2), own]) {
      await writeFile(join(directory, name), Buffer.alloc(segmentBytes));
    }
    await history(2, ["1\t0/2800\tno recovery target specified"]);
    await history(3, ["1\t0/2800\tno recovery target specified", "2\t0/4000\tno recovery target specified"]);
    expect(await promote(null)).toEqual([segment(1), segment(2, 2), segment(3, 2), own]);
  });

  test("leaves out what is on a timeline that its own does not come from", async () => {
    await count([segment(1), segment(1, 2), segment(2, 3)]);
    for (const name of [segment(1), segment(1, 2), segment(2, 3)]) {
      await writeFile(join(directory, name), Buffer.alloc(segmentBytes));
    }
    await history(3, ["1\t0/2000\tno recovery target specified"]);
    expect(await promote(null)).toEqual([segment(1), segment(2, 3)]);
  });

  test("leaves everything else alone", async () => {
    const others = ["00000002.history.done", `${segment(1)}.00000028.backup.done`, `${segment(3)}.ready`];
    for (const name of others) await writeFile(join(status, name), "");
    expect(await promote(segment(1))).toEqual([segment(3)]);
    expect((await readdir(status)).toSorted()).toEqual(others.toSorted());
  });
});

test("a member that is demoted hands in nothing", async () => {
  await count(segments(1, 3));
  expect(await promote(null, "replica")).toEqual([]);
});

test("Patroni calls it at every change of role where there is an archive, and nowhere else", () => {
  const secrets = { replicator: "r", rewind: "w", patroni: "p" };
  const self = peerAt(peersOf(3), 0);
  const callback = 'on_role_change: "/usr/bin/python3 /etc/pgherd/archive-mender.py"';
  expect(renderPatroni(intentOf(), self, secrets)).toContain(callback);
  expect(renderPatroni({ ...intentOf(), backups: null }, self, secrets)).not.toContain("on_role_change");
});
