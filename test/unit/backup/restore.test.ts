import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { renderPatroni, renderRestoreSource } from "../../../layers/domain/config/index.ts";
import {
  checkRoom,
  instantOf,
  postgresTime,
  type RestoreTarget,
  recoverySettings,
} from "../../../layers/domain/index.ts";
import { intentOf, peerAt, peersOf, specOf } from "../config/support.ts";
import { clusterId, idOf, labelOf } from "./support/backups.ts";

const settings = (target: RestoreTarget, exclusive = false) => recoverySettings({ target, exclusive });
const secrets = { replicator: "r", rewind: "w", patroni: "p" };

describe("a recovery", () => {
  test("ends at its target, with it or right before it, and then the cluster is promoted", () => {
    expect(settings({ lsn: "0/3000148" })).toEqual({
      recovery_target_lsn: "0/3000148",
      recovery_target_inclusive: "true",
      recovery_target_action: "promote",
      recovery_target_timeline: "latest",
    });
    expect(settings({ xid: "731" }, true)).toMatchObject({
      recovery_target_xid: "731",
      recovery_target_inclusive: "false",
    });
    expect(settings({ name: "before-release" })).toMatchObject({ recovery_target_name: "before-release" });
    expect(settings("immediate")).toMatchObject({ recovery_target: "immediate" });
  });

  test("of everything has no target that it could miss", () => {
    expect(settings("latest")).toEqual({ recovery_target_timeline: "latest" });
  });

  test("has one target at most", () => {
    const targets: RestoreTarget[] = [
      "latest",
      "immediate",
      { time: "2026-01-01T00:00:00Z" },
      { lsn: "0/1" },
      { xid: "3" },
      { name: "n" },
    ];
    for (const target of targets) {
      const named = Object.keys(settings(target)).filter((key) =>
        /^recovery_target(_(time|lsn|xid|name))?$/.test(key),
      );
      expect(named).toHaveLength(target === "latest" ? 0 : 1);
    }
  });

  test("is told a time in UTC and to the microsecond, whatever zone it was meant in", () => {
    expect(postgresTime("2026-03-01T00:30:00.25+01:00")).toBe("2026-02-28 23:30:00.250000+00");
    expect(postgresTime("2024-02-29T23:59:59.999999-00:30")).toBe("2024-03-01 00:29:59.999999+00");
    const moments = fc.date({
      noInvalidDate: true,
      min: new Date("1950-01-01"),
      max: new Date("2300-01-01"),
    });
    fc.assert(
      fc.property(moments, (date) => {
        const text = postgresTime(date.toISOString());
        return instantOf(text.replace(" ", "T").replace("+00", "Z")) === BigInt(date.getTime()) * 1000n;
      }),
    );
  });
});

describe("a node of a restored cluster", () => {
  const restore = {
    source: {
      clusterId,
      shard: 0,
      backupId: idOf("backup", 1),
      label: labelOf(1),
      target: { time: "2026-01-01T00:00:00Z" },
      exclusive: false,
    },
    repository: { bucket: "backups", region: "local-1", prefix: `/clusters/${clusterId}/0` },
  };

  test("bootstraps from the other cluster's repository, as reviewed", () => {
    const text = renderPatroni({ ...intentOf(), restore }, peerAt(peersOf(3), 0), secrets);
    expect(text).toContain("pg_ctl_timeout: 86400");
    expect(text.slice(text.indexOf("  method:"), text.indexOf("  initdb:"))).toMatchSnapshot();
  });

  test("archives to its own repository alone, and reads the other one only", () => {
    const text = renderPatroni({ ...intentOf(), restore }, peerAt(peersOf(3), 0), secrets);
    expect(text).toMatch(/archive_command: .*pgbackrest\.conf/);
    expect(text).not.toMatch(/archive_command: .*restore\.conf/);
    const source = renderRestoreSource(intentOf(), restore, { cipherPass: "other-pass", keys: null });
    expect(source).toContain("repo1-cipher-pass=other-pass");
    expect(source).toContain(`repo1-path=/clusters/${clusterId}/0`);
  });

  test("founds nothing from anywhere where nothing is restored", () => {
    expect(renderPatroni(intentOf(), peerAt(peersOf(3), 0), secrets)).not.toContain("method: restore");
  });
});

describe("the new cluster", () => {
  const gib = 1024 ** 3;
  const engine = "pgbackrest";

  test("has room for the data and the WAL beside it, or is refused with the size that it needs", () => {
    const small = specOf({ storage: { sizeGiB: 20 } });
    expect(checkRoom(small, small, { engine, sizeBytes: 10 * gib })).toEqual([]);
    expect(checkRoom(small, small, { engine, sizeBytes: 20 * gib })).toEqual([
      { path: "/storage/sizeGiB", message: expect.stringContaining("at least 25") },
    ]);
  });

  test("is not lower in what a recovery stops at", () => {
    const source = specOf({ parameters: { max_connections: 300 } });
    expect(checkRoom(specOf(), source, { engine, sizeBytes: gib })).toEqual([
      { path: "/parameters/max_connections", message: expect.stringContaining("at least 300") },
    ]);
    expect(checkRoom(source, specOf(), { engine, sizeBytes: gib })).toEqual([]);
  });

  test("can be lower than where a logical backup comes from, as it replays no WAL", () => {
    const source = specOf({ parameters: { max_connections: 300 } });
    expect(checkRoom(specOf(), source, { engine: "pg_dump", sizeBytes: gib })).toEqual([]);
  });
});
