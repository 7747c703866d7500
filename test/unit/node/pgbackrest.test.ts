import { describe, expect, test } from "vitest";
import { complaintIn, expireArchiveOptions, repositoryInfo } from "../../../layers/node/backup/pgbackrest.ts";

/** As pgBackRest 2.55.1 writes it. */
const said = {
  archive: [{ database: { id: 1, "repo-key": 1 }, id: "17-1", max: "0000000B", min: "00000002" }],
  backup: [
    {
      annotation: { "pgherd-backup": "bkp_01ARZ3NDEKTSV4RRFFQ69G5FAV" },
      archive: { start: "000000010000000000000008", stop: "000000010000000000000009" },
      backrest: { format: 5, version: "2.55.1" },
      database: { id: 1, "repo-key": 1 },
      error: false,
      info: {
        delta: 30844162,
        repository: { delta: 3456544, "delta-map": 30248, "size-map": 30248 },
        size: 30844162,
      },
      label: "20261121-151905F",
      lsn: { start: "0/2000028", stop: "0/2400050" },
      prior: null,
      reference: null,
      timestamp: { start: 1795274345, stop: 1795274347 },
      type: "full",
    },
    {
      archive: { start: "00000001000000000000000B", stop: "00000001000000000000000B" },
      info: { delta: 8134914, repository: { delta: 11424 }, size: 30901506 },
      label: "20261121-151905F_20261121-151908I",
      lsn: { start: "0/2C00028", stop: "0/2C00120" },
      prior: "20261121-151905F",
      reference: ["20261121-151905F"],
      timestamp: { start: 1795274348, stop: 1795274349 },
      type: "incr",
    },
  ],
  cipher: "aes-256-cbc",
  name: "main",
  repo: [{ cipher: "aes-256-cbc", key: 1, status: { code: 0, message: "ok" } }],
  status: { code: 0, lock: { backup: { held: true, size: 139666432, "size-cplt": 1024 } }, message: "ok" },
};

describe("what the repository says", () => {
  test("is told in our words, with the id that a backup was annotated with", () => {
    const { backups, progress } = repositoryInfo(JSON.stringify([said]));
    expect(backups).toEqual([
      {
        label: "20261121-151905F",
        backupId: "bkp_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        type: "full",
        startedAt: "2026-11-21T15:19:05.000Z",
        endedAt: "2026-11-21T15:19:08.000Z",
        sizeBytes: 30844162,
        repositoryBytes: 3456544,
        walStart: "000000010000000000000008",
        walStop: "000000010000000000000009",
        lsnStart: "0/2000028",
        lsnStop: "0/2400050",
        references: [],
      },
      expect.objectContaining({ backupId: null, type: "incr", references: ["20261121-151905F"] }),
    ]);
    expect(progress).toEqual({ bytesDone: 1024, bytesTotal: 139666432 });
  });

  test("of a repository without a stanza is that there is nothing", () => {
    const status = { code: 1, message: "missing stanza path", lock: { backup: { held: false } } };
    const empty = { ...said, backup: [], repo: [{ status }], status };
    expect(repositoryInfo(JSON.stringify([empty]))).toEqual({ backups: [], progress: null });
  });

  test("of one that cannot be read is an error, and not that there is nothing", () => {
    const status = { ...said.status, code: 99, message: "[HostConnectError] unable to connect" };
    const info = JSON.stringify([{ ...said, backup: [], repo: [{ status }], status }]);
    expect(() => repositoryInfo(info)).toThrow("unable to connect");
  });
});

describe("what pgBackRest complains of", () => {
  test("is its error with what explains it", () => {
    const lines = [
      "P00   WARN: option 'repo1-retention-full' is not set",
      "            HINT: to retain full backups indefinitely …",
      "P00  ERROR: [050]: unable to acquire lock on file '/x/main-backup-1.lock'",
      "            HINT: is another pgBackRest process running?",
      "P00   INFO: backup command end: aborted with exception [050]",
    ];
    expect(complaintIn(lines)).toBe(
      "unable to acquire lock on file '/x/main-backup-1.lock'; HINT: is another pgBackRest process running?",
    );
  });

  test("is not that there were errors, but which", () => {
    const lines = [
      "P00  ERROR: [075]: repo1: full backup 20261121-151913F cannot be expired",
      "P00  ERROR: [104]: expire command encountered 1 error(s), check the log file for details",
    ];
    expect(complaintIn(lines)).toBe("repo1: full backup 20261121-151913F cannot be expired");
  });

  test("is nothing where all went well", () => {
    expect(complaintIn(["P00   INFO: backup command end: completed successfully", ""])).toBeNull();
  });
});

describe("what is removed of the archive", () => {
  const backups = (...types: readonly ("full" | "diff" | "incr")[]) => types.map((type) => ({ type }));

  test("is from before the first full backup: it counts all of them, and gives up none", () => {
    expect(expireArchiveOptions(backups("full", "incr", "full", "diff"))).toEqual([
      "--repo1-retention-full-type=count",
      "--repo1-retention-full=9999999",
      "--repo1-retention-archive-type=full",
      "--repo1-retention-archive=2",
    ]);
  });

  test("is nothing where there is no full backup", () => {
    expect(expireArchiveOptions([])).toBeNull();
  });
});
