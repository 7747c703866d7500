import type { Backup, Cluster } from "@pgherd/layers/domain";
import type { Observation } from "@pgherd/layers/domain/node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { healthyArchive } from "./support/healthy.ts";
import { type Reply, type World, Worlds } from "./support/world.ts";

let worlds: Worlds;
let world: World;
let cluster: Cluster;
let backup: Backup;

const at = (minute: number): string => new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();
const gib = 1024 ** 3;

beforeAll(async () => {
  worlds = await Worlds.start();
});
afterAll(() => worlds[Symbol.asyncDispose]());
beforeEach(async () => {
  world = await worlds.make();
  cluster = await world.makeAvailable("orders");
  const walStart = "00000001000000000000000C";
  const wal = { lsnStart: "0/3000028", lsnStop: "0/3000100", walStart, walStop: walStart };
  backup = await world.makeBackup(cluster.id, { endedAt: at(10), sizeBytes: gib, ...wal });
  world.repositories.keep(...Array.from({ length: 20 }, (_, index) => 12 + index));
  const record = { ...(await world.store.readHealth(cluster.id)), archivedUntil: at(20) };
  const status = { status: "available", statusReason: "", drift: [], events: [] } as const;
  await world.store.updateHealth(cluster.id, { ...status, record });
  const [leader] = cluster.nodes;
  const observation: Observation = {
    members: [
      {
        nodeId: leader?.id ?? "",
        role: "leader",
        state: "running",
        timeline: 1,
        lagBytes: null,
        pendingRestart: false,
      },
    ],
    dcs: { quorum: true, members: [] },
  };
  for (const node of cluster.nodes) world.nodes.observations.set(node.instanceId ?? "", observation);
  world.nodes.archives.set(leader?.instanceId ?? "", healthyArchive);
});

const path = () => `/v1/clusters/${cluster.id}/restore`;
const code = (reply: Reply) => [reply.status, reply.body["code"]];
const restore = (target: unknown, more: Record<string, unknown> = {}, query = "") =>
  world.call("POST", `${path()}${query}`, {
    role: "operator",
    body: { target, into: { newCluster: { name: "orders-before" } }, ...more },
  });

describe("POST …/restore", () => {
  test.each([
    ["a time", { time: at(15) }],
    ["a time in another zone", { time: "2026-01-01T01:15:00.000001+01:00" }],
    ["an LSN", { lsn: "0/4000000" }],
    ["a transaction", { xid: "700" }],
    ["the end of the backup", "immediate"],
    ["the end of the WAL", "latest"],
  ])("to %s makes a new cluster from the backup, and leaves the other one alone", async (_what, target) => {
    const before = await world.store.getCluster(cluster.id);
    const reply = await restore(target);
    expect(reply.status, reply.text).toBe(202);
    expect(reply.body).toMatchObject({
      cluster: { name: "orders-before", status: "creating", spec: { members: 3 } },
      operation: {
        kind: "restore-cluster",
        request: {
          clusterId: cluster.id,
          backupId: backup.id,
          label: backup.label,
          target,
          exclusive: false,
        },
      },
    });
    expect(world.executions.started).toMatchObject([{ kind: "restore-cluster" }]);
    expect(await world.store.getCluster(cluster.id)).toEqual(before);
  });

  test("gives the new cluster what it asks for, and else what the other one has", async () => {
    const newCluster = { name: "small", members: 1, storage: { sizeGiB: 40 } };
    const reply = await restore("latest", { into: { newCluster } });
    expect(reply.body["cluster"]).toMatchObject({
      spec: { ...cluster.spec, name: "small", members: 1, dcs: { members: 1 }, storage: { sizeGiB: 40 } },
    });
  });

  test("as a dry run answers backup, window and spec, and writes nothing", async () => {
    const before = await world.items();
    const reply = await restore({ time: at(15) }, {}, "?dryRun=true");
    expect(reply).toMatchObject({
      status: 200,
      body: {
        kind: "restore-cluster",
        preflight: {
          backupId: backup.id,
          restoreWindow: { earliest: at(10), latest: at(20) },
          timeline: "newest",
          isWalChecked: true,
          archivesFirst: true,
        },
        spec: { name: "orders-before" },
      },
    });
    expect(await world.items()).toEqual(before);
  });

  test("as a dry run answers the WAL to replay and an estimate of the time, which grow with the target", async () => {
    const preflightOf = async (target: unknown) => {
      const reply = await restore(target, {}, "?dryRun=true");
      return reply.body["preflight"] as { walBytes: number; estimate: { seconds: number; basis: string } };
    };
    const near = await preflightOf({ lsn: "0/3400028" });
    const far = await preflightOf({ lsn: "0/7000028" });
    expect(near.walBytes).toBe(4 * 1024 ** 2);
    expect(far.walBytes).toBe(64 * 1024 ** 2);
    expect(far.estimate.seconds).toBeGreaterThan(near.estimate.seconds);
    expect(near.estimate.basis).toMatch(/^An estimate/);
  });

  test.each([
    ["is newer than the archive", { time: at(22) }, "must"],
    ["is in the archive", { time: at(15) }, "may"],
    ["is an LSN that is not archived yet", { lsn: "0/8800000" }, "must"],
    ["is all there is", "latest", "may"],
  ])("has the leader archive first where the target %s", async (_what, target, archiveFirst) => {
    const reply = await restore(target);
    expect(reply.status, reply.text).toBe(202);
    expect(reply.body).toMatchObject({ operation: { request: { archiveFirst } } });
  });

  test("asks nobody to archive more for a cluster that nobody can ask, and refuses what needs it", async () => {
    world.nodes.observations.clear();
    const reply = await restore({ time: at(15) });
    expect(reply.body).toMatchObject({ operation: { request: { label: backup.label } } });
    expect(reply.text).not.toContain("archiveFirst");
    const refused = await restore({ time: at(22) });
    expect(code(refused)).toEqual([422, "target-outside-window"]);
    expect(refused.body["detail"]).toContain("bring the cluster back");
  });

  test("refuses a target behind a gap in the archive, and names the segments", async () => {
    world.repositories.keep(12, 13, 14, 17, 18);
    const refused = await restore({ lsn: "0/4800000" });
    expect(code(refused)).toEqual([422, "wal-missing"]);
    expect(refused.body["detail"]).toContain("00000001000000000000000F to 000000010000000000000010 (2)");
    expect((await restore({ lsn: "0/3800000" })).status).toBe(202);
  });

  test("follows the timeline that the cluster was on then, and says so", async () => {
    world.repositories.starts = [{ timeline: 2, since: at(18) }];
    const forks = [{ timeline: 2, parent: 1, lsn: "0/3800000", isRestore: true }];
    const [leader] = cluster.nodes;
    const lastArchivedWal = "00000002000000000000001F";
    const state = { ...healthyArchive, timeline: 2, forks, lastArchivedWal };
    world.nodes.archives.set(leader?.instanceId ?? "", state);
    const before = await restore({ time: at(17) });
    expect(before.body).toMatchObject({
      operation: { request: { timeline: 1 } },
      warnings: expect.arrayContaining([expect.stringContaining("timeline 1")]),
    });
    const now = { into: { newCluster: { name: "orders-now" } } };
    expect((await restore({ lsn: "0/3400000" }, { ...now, timeline: 1 })).body).toMatchObject({
      operation: { request: { timeline: 1 } },
    });
    expect(code(await restore("latest", { timeline: 3 }))).toEqual([422, "target-outside-window"]);
  });

  test("gets to a restore point that is on record, and to none that is not made", async () => {
    await world.makeRestorePoint(cluster.id, "before-release", { lsn: "0/4000000", timeline: 1, at: at(15) });
    const reply = await restore({ name: "before-release" });
    expect(reply.body).toMatchObject({ operation: { request: { target: { name: "before-release" } } } });
    await world.makeRestorePoint(cluster.id, "perhaps", { state: "uncertain", lsn: null });
    expect(code(await restore({ name: "perhaps" }))).toEqual([422, "restore-point-unknown"]);
  });

  test("is possible from a deleted cluster as long as its backups are kept", async () => {
    const deleted = await world.deleteCluster(cluster, { archivedUntil: at(20) });
    const reply = await restore({ time: at(15) });
    expect(reply.status, reply.text).toBe(202);
    expect(reply.body).toMatchObject({
      cluster: { name: "orders-before", spec: { members: 3 } },
      operation: { request: { clusterId: cluster.id, backupId: backup.id } },
    });
    expect(code(await restore({ time: at(21) }))).toEqual([422, "target-outside-window"]);
    await world.store.beginRemoval(deleted.id);
    expect(code(await restore({ time: at(15) }))).toEqual([409, "backups-removed"]);
  });

  test("is possible from a cluster that nobody can ask", async () => {
    world.nodes.observations.clear();
    await world.store.updateClusterStatus(cluster.id, "failed", "It burnt down.");
    expect((await restore({ lsn: "0/4000000" })).status).toBe(202);
  });

  test.each([
    ["a time of the future", { time: at(26) }, "target-outside-window"],
    ["a time before the first backup", { time: at(9) }, "target-outside-window"],
    ["an LSN that is not written yet", { lsn: "0/9000001" }, "target-outside-window"],
    ["an LSN before the first backup", { lsn: "0/1000000" }, "target-outside-window"],
    ["a transaction of the future", { xid: "800" }, "target-outside-window"],
    ["a name that was never made", { name: "never" }, "restore-point-unknown"],
    ["a time without a zone", { time: "2026-01-01T00:15:00" }, "invalid-request"],
    ["an LSN that is none", { lsn: "16/XYZ" }, "invalid-request"],
    ["two targets", { time: at(15), lsn: "0/4000000" }, "invalid-request"],
    ["no target", {}, "invalid-request"],
  ])("refuses %s, as a dry run too, and changes nothing", async (_what, target, expected) => {
    const before = await world.items();
    for (const query of ["", "?dryRun=true"]) {
      const reply = await restore(target, {}, query);
      expect(code(reply), reply.text).toEqual([422, expected]);
      expect(JSON.stringify(reply.body["errors"])).toContain("/target");
    }
    expect(await world.items()).toEqual(before);
    expect(world.executions.started).toEqual([]);
  });

  test("says of a target outside the window what the window is", async () => {
    const { detail } = (await restore({ time: at(26) })).body as { detail: string };
    expect(detail).toContain(at(10));
    expect(detail).toContain(at(25));
  });

  test("takes a name that is not on record where that is said", async () => {
    expect((await restore({ name: "by-hand" }, { unlisted: true })).status).toBe(202);
  });

  test("refuses a backup that is none of this cluster's", async () => {
    const other = await world.makeBackup((await world.makeAvailable("invoices")).id);
    expect(code(await restore("latest", { backupId: other.id }))).toEqual([422, "backup-unknown"]);
  });

  test("refuses a cluster without a backup", async () => {
    const { id } = await world.makeAvailable("invoices");
    const body = { target: "latest", into: { newCluster: { name: "again" } } };
    const reply = await world.call("POST", `/v1/clusters/${id}/restore`, { body });
    expect(code(reply)).toEqual([409, "no-backup"]);
  });

  test("refuses volumes that the data does not fit on, with the size that it needs", async () => {
    const { lsnStart, lsnStop, walStart, walStop } = backup;
    const wal = { lsnStart, lsnStop, walStart, walStop };
    await world.makeBackup(cluster.id, { endedAt: at(11), sizeBytes: 100 * gib, ...wal });
    const reply = await restore("latest", { into: { newCluster: { name: "tiny" } } });
    expect(code(reply)).toEqual([422, "volume-too-small"]);
    expect(reply.body).toMatchObject({
      detail: expect.stringContaining("125"),
      errors: [{ path: "/into/newCluster/storage/sizeGiB" }],
    });
  });

  test.each([
    ["a name that is taken", { name: "orders" }, [409, "name-taken"]],
    ["another database", { name: "b", database: "other" }, [422, "invalid-request"]],
    ["another major version", { name: "bbb", postgresVersion: 17 }, [422, "invalid-request"]],
    [
      "less than a recovery needs",
      { name: "bbb", parameters: { max_connections: 30 } },
      [422, "invalid-request"],
    ],
  ])("refuses %s for the new cluster, as a dry run too", async (_what, newCluster, expected) => {
    const before = await world.items();
    for (const query of ["", "?dryRun=true"]) {
      expect(code(await restore("latest", { into: { newCluster } }, query))).toEqual(expected);
    }
    expect(await world.items()).toEqual(before);
  });

  test("is not for those who may only look", async () => {
    const body = { target: "latest", into: { newCluster: { name: "again" } } };
    expect((await world.call("POST", path(), { role: "viewer", body })).status).toBe(403);
  });
});
