import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFailed, test } from "vitest";
import { cutOff, cutZone, fillVolume, killForGood, pullPlug, signal } from "../support/accidents.ts";
import { journalOf, postmasterAt } from "../support/machines.ts";
import { Trial } from "../support/trial.ts";
import { waitFor } from "../support/wait.ts";
import { api, environment } from "../support/world.ts";

/** Longer than a leader's key lives without being renewed. */
const longerThanTtlMs = 24_000;
const returnSeconds = 120;

/** Clients write through 5000 and 6432 all the while; `sync` loses nothing that was acknowledged. */
describe("under load, with synchronous replication", () => {
  let trial: Trial;

  beforeAll(async () => {
    trial = await Trial.start(environment, api, { name: "failures", storage: { sizeGiB: 2 } });
  });

  afterAll(async () => {
    await trial[Symbol.asyncDispose]();
  });

  afterEach(async () => {
    await trial.isWhole();
    expect(await trial.lostRows()).toEqual([]);
    expect(trial.rivals()).toEqual([]);
    await trial.statusSays("available", /every member runs/i);
  });

  async function anotherLeads(than: { id: string }): Promise<void> {
    await waitFor("another member leads", returnSeconds, async () => {
      const { shards } = await trial.topology();
      const leader = shards[0]?.leader ?? than.id;
      return leader === than.id ? undefined : true;
    });
  }

  test("HAProxy, PgBouncer and etcd's leader killed: all are back by themselves", async () => {
    const leader = await trial.leader();
    const dcsLeader = await trial.dcsLeader();
    await signal(leader.address, "haproxy", "SIGKILL");
    await signal(leader.address, "pgbouncer", "SIGKILL");
    await signal(dcsLeader.address, "etcd", "SIGKILL");
    await trial.allWrite();
  });

  test("the leader's Patroni killed and not started again: its PostgreSQL stops before another leads", async () => {
    const leader = await trial.leader();
    const startAgain = await killForGood(leader.address, "patroni.service");
    try {
      await anotherLeads(leader);
      await trial.allWrite();
      await trial.statusSays("degraded", new RegExp(`Patroni on node ${leader.id}`));
    } finally {
      await startAgain();
    }
  });

  test("the leader's Patroni hangs: its PostgreSQL stops before another leads, and its node comes back", async () => {
    const leader = await trial.leader();
    await signal(leader.address, "patroni", "SIGSTOP");
    await anotherLeads(leader);
    await trial.allWrite();
  });

  test("paused, the leader's Patroni killed and not started again: its PostgreSQL goes on, and the pause too as long", async () => {
    const leader = await trial.leader();
    const { pid } = await postmasterAt(leader.address);
    onTestFailed(async () => {
      process.stderr.write(await journalOf(leader.address, ["pgherd-guard", "patroni"]));
    });
    const path = `/v1/clusters/${trial.cluster.id}`;
    await api.carryOut("POST", `${path}/pause`, {});
    const startAgain = await killForGood(leader.address, "patroni.service");
    try {
      await sleep(longerThanTtlMs);
      const { id } = await api.begin("POST", `${path}/resume`);
      expect(await api.operationEnd(id)).toMatchObject({
        state: "failed",
        error: { message: expect.stringContaining(`PostgreSQL on ${leader.id} takes writes`) },
      });
      expect((await postmasterAt(leader.address)).pid).toBe(pid);
    } finally {
      await startAgain();
      await api.carryOut("POST", `${path}/resume`);
    }
    expect((await postmasterAt(leader.address)).pid).toBe(pid);
    expect((await trial.leader()).id).toBe(leader.id);
  });

  test("the leader's PostgreSQL killed: another leads, and the events say so", async () => {
    const leader = await trial.leader();
    process.kill((await postmasterAt(leader.address)).pid, "SIGKILL");
    await trial.allWrite();
    await waitFor("an event tells of the new leader", returnSeconds, async () =>
      (await trial.events()).some(({ action }) => action === "leader-changed") ? true : undefined,
    );
  });

  test("the leader's network cut and healed: it stops taking writes before another leads, and follows then", async () => {
    const leader = await trial.leader();
    const heal = await cutOff([leader.address]);
    try {
      await anotherLeads(leader);
      await trial.allWrite();
      await trial.statusSays("degraded", new RegExp(leader.id));
    } finally {
      await heal();
    }
  });

  test("the zone of etcd's leader cut and healed", async () => {
    const { zone } = await trial.dcsLeader();
    const heal = await cutZone(environment, zone);
    try {
      await trial.statusSays("degraded", new RegExp(zone));
      await trial.allWrite();
    } finally {
      await heal();
    }
  });

  test("two of three etcd members killed and returned: the cluster goes on, and says what is wrong", async () => {
    const leader = await trial.leader();
    const starts = [];
    try {
      for (const node of trial.others(leader)) starts.push(await killForGood(node.address, "etcd.service"));
      await trial.statusSays("degraded", /no majority/);
      await trial.allWrite(longerThanTtlMs);
    } finally {
      await Promise.all(starts.map((start) => start()));
    }
  });

  test("a full data volume of the leader: nothing is lost, and room is all that it needs", async () => {
    const leader = await trial.leader();
    const makeRoom = await fillVolume(leader.address);
    try {
      await trial.statusSays("degraded", new RegExp(`data volume of node ${leader.id}|${leader.id}`));
    } finally {
      await makeRoom();
    }
  });

  test("the leader's machine killed: the cluster is whole again by itself", async () => {
    const leader = await trial.leader();
    await pullPlug(leader.address);
    await anotherLeads(leader);
    await trial.allWrite();
  });
});
