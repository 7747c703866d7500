import { describe, expect, test } from "vitest";
import {
  copyArguments,
  inPlacePaths,
  operationOfPath,
  renderRecovery,
} from "../../../layers/domain/config/index.ts";
import { nodePaths } from "../../../layers/domain/config/paths.ts";
import { specOf } from "./support.ts";

const operationId = "opn_01ARZ3NDEKTSV4RRFFQ69G5FAV";
const target = { time: "2026-01-01T00:00:00Z" } as const;
const backup = { kind: "backup", label: "20260101-000001F", target, exclusive: false } as const;
const kept = { kind: "kept", above: 3, left: 2, withArchive: false } as const;

const settingsOf = (text: string): Record<string, string> =>
  Object.fromEntries(
    text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => {
        const [, name = "", value = ""] = /^(\w+) = '(.*)'$/.exec(line) ?? [];
        return [name, value];
      }),
  );
const settings = (from: Parameters<typeof renderRecovery>[1]) => settingsOf(renderRecovery(specOf(), from));

describe("a PostgreSQL that is led to its target", () => {
  test("lets nobody in, archives nothing, and keeps what is to be archived", () => {
    expect(settings(backup)).toMatchObject({
      listen_addresses: "",
      archive_mode: "on",
      archive_command: "",
      hot_standby: "off",
      synchronous_standby_names: "",
    });
  });

  test("has one target, whatever the backup brings along", () => {
    const found = settings(backup);
    const targets = Object.entries(found).filter(([name]) =>
      /^recovery_target(?:_(?:lsn|name|time|xid))?$/.test(name),
    );
    expect(targets).toHaveLength(5);
    expect(targets.filter(([, value]) => value !== "")).toEqual([
      ["recovery_target_time", "2026-01-01 00:00:00.000000+00"],
    ]);
    expect(found).toMatchObject({ recovery_target_action: "promote", recovery_target_timeline: "latest" });
  });

  test("fetches WAL from the cluster's own repository, on the timeline of its target", () => {
    const found = settings({ ...backup, timeline: 2 });
    expect(found["recovery_target_timeline"]).toBe("2");
    expect(found["restore_command"]).toMatch(
      /^\/usr\/bin\/pgbackrest --config=\/etc\/pgherd\/pgbackrest.conf .*archive-get %f "%p"$/,
    );
  });

  test("takes any name of a restore point as it is", () => {
    const name = "o'clock \\ \n%f";
    expect(settings({ ...backup, target: { name } })["recovery_target_name"]).toBe("o''clock \\\\ \\n%f");
  });

  test("goes on from where it was kept, and needs the archive for nothing", () => {
    const found = settings(kept);
    expect(found["restore_command"]).toBe("/bin/false");
    expect(found["recovery_target_timeline"]).toBe("current");
    const targets = ["recovery_target", "recovery_target_time", "recovery_target_lsn"].map(
      (one) => found[one],
    );
    expect(targets).toEqual(["", "", ""]);
  });

  test("fetches the end of what a replica has kept", () => {
    const found = settings({ ...kept, withArchive: true });
    expect(found["restore_command"]).toMatch(/^\/usr\/bin\/pgbackrest .*archive-get %f "%p"$/);
    expect(found["recovery_target_timeline"]).toBe("2");
  });
});

test("the backup is copied with every processor, and over what another try has left", () => {
  expect(copyArguments("20260101-000001F", "t4g.medium")).toEqual([
    "/usr/bin/pgbackrest",
    "--config=/etc/pgherd/pgbackrest.conf",
    "--stanza=main",
    "--set=20260101-000001F",
    "--type=none",
    "--delta",
    "--process-max=2",
    "--log-level-console=info",
    "restore",
  ]);
});

describe("what an operation leaves beside the data", () => {
  test("is known by its name, on the data's own volume", () => {
    for (const path of Object.values(inPlacePaths(operationId))) {
      expect(path.startsWith(`${nodePaths.postgresParent}/`)).toBe(true);
      expect(operationOfPath(path.slice(nodePaths.postgresParent.length + 1))).toBe(operationId);
    }
  });

  test("is never the data itself, nor anything that is not an operation's", () => {
    const own = nodePaths.postgresData.slice(nodePaths.postgresParent.length + 1);
    for (const name of [own, "17.failed", "aside-17", `x-${operationId}`, `aside-${operationId}.old`]) {
      expect(operationOfPath(name)).toBeNull();
    }
  });
});
