import { describe, expect, test } from "vitest";
import { verificationIn } from "../../../layers/node/backup/verification.ts";
import { amcheckOutcome, checksumsOutcome } from "../../../layers/node/drill/checks.ts";

describe("what pg_amcheck comes to", () => {
  test("is well where it found nothing", () => {
    expect(amcheckOutcome({ code: 0, stdout: "", stderr: "" })).toMatchObject({ ok: true });
  });

  test("is its own words where it found something, in one line", () => {
    const stdout =
      'heap table "app.public.orders", block 7, offset 2:\n    xmin 4 precedes relation freeze threshold\n';
    expect(amcheckOutcome({ code: 2, stdout, stderr: "" })).toEqual({
      ok: false,
      detail: 'heap table "app.public.orders", block 7, offset 2:; xmin 4 precedes relation freeze threshold',
    });
  });

  test("is not well where it could not look", () => {
    expect(amcheckOutcome({ code: 1, stdout: "", stderr: "pg_amcheck: error: no password" })).toEqual({
      ok: false,
      detail: "pg_amcheck: error: no password",
    });
    expect(amcheckOutcome({ code: 137, stdout: "", stderr: "" })).toMatchObject({
      ok: false,
      detail: expect.stringContaining("137"),
    });
  });
});

describe("what pg_checksums comes to", () => {
  const said = (bad: number) =>
    `Checksum operation completed\nFiles scanned:   950\nBlocks scanned:  2811\nBad checksums:  ${bad}\nData checksum version: 1\n`;

  test("is the pages that it has read", () => {
    expect(checksumsOutcome({ code: 0, stdout: said(0), stderr: "" })).toEqual({
      ok: true,
      detail: "2811 pages are what was written.",
    });
  });

  test("names the first pages that are not what was written", () => {
    const stderr = 'pg_checksums: error: checksum verification failed in file "base/5/1259", block 0';
    expect(checksumsOutcome({ code: 1, stdout: said(1), stderr })).toEqual({ ok: false, detail: stderr });
  });

  test("is not well where there are no checksums", () => {
    const stderr = "pg_checksums: error: data checksums are not enabled in cluster";
    expect(checksumsOutcome({ code: 1, stdout: "", stderr })).toEqual({ ok: false, detail: stderr });
  });
});

describe("what pgbackrest verify has found", () => {
  const said = (change: { wal?: string; counts?: string; status?: string; state?: string } = {}) => [
    "stanza: main",
    `status: ${change.status ?? "ok"}`,
    `  archiveId: 17-1, total WAL checked: 9, total valid WAL: ${change.wal ?? "9"}`,
    `    ${change.counts ?? "missing: 0, checksum invalid: 0, size invalid: 0, other: 0"}`,
    "  backup: 20260101-000001F, status: valid, total files checked: 971, total valid files: 971",
    "    missing: 0, checksum invalid: 0, size invalid: 0, other: 0",
    `  backup: 20260101-000001F_20260102-000001I, status: ${change.state ?? "valid"}, total files checked: 1, total valid files: 1`,
  ];

  test("is how much it has read, where all is well", () => {
    expect(verificationIn(said())).toEqual({
      found: { ok: true, backups: 2, walSegments: 9 },
      message: null,
    });
  });

  test("is well with a segment that was archived twice, whatever its status says", () => {
    expect(verificationIn(said({ status: "error", wal: "8" }))?.found.ok).toBe(true);
  });

  test("is well with a backup that is being taken", () => {
    expect(verificationIn(said({ state: "in-progress" }))?.found.ok).toBe(true);
  });

  test("names what is not", () => {
    const counts = "missing: 1, checksum invalid: 2, size invalid: 0, other: 0";
    expect(verificationIn(said({ status: "error", state: "invalid", counts }))).toEqual({
      found: { ok: false, backups: 2, walSegments: 9 },
      message:
        "backup 20260101-000001F_20260102-000001I is invalid; of what is stored, 1 file is missing, 2 files are damaged",
    });
  });

  test("is not well where it finds an error that no number explains", () => {
    const lines = ["ERROR: [029]: No usable backup.info file", "stanza: main", "status: error"];
    expect(verificationIn(lines)).toEqual({
      found: { ok: false, backups: 0, walSegments: 0 },
      message: "No usable backup.info file",
    });
    expect(verificationIn(["stanza: main", "status: error"])?.found.ok).toBe(false);
  });

  test("is what it said last, where it was begun more than once", () => {
    const before = said({ state: "invalid" });
    expect(verificationIn([...before, ...said()])?.found).toMatchObject({ ok: true, backups: 2 });
  });

  test("is nothing where it did not come to its end", () => {
    expect(verificationIn(["ERROR: [103]: unable to find a valid repository"])).toBeNull();
    expect(verificationIn([])).toBeNull();
  });
});
