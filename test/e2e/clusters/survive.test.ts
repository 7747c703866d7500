import { RebootInstancesCommand } from "@aws-sdk/client-ec2";
import type { Cluster } from "@pgherd/layers/domain";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ec2Client } from "../support/aws.ts";
import { Database } from "../support/database.ts";
import { initAt, onMachine, postmasterAt, processesAt } from "../support/machines.ts";
import { waitFor } from "../support/wait.ts";
import { api, environment } from "../support/world.ts";

/** The contract for a killed PostgreSQL is 5 s; a stopwatch asserts it in the benchmark, here it only has to return. */
const recoverySeconds = 120;

describe("an untouched cluster survives", () => {
  let cluster: Cluster;
  let database: Database;
  let written = 0;

  beforeAll(async () => {
    cluster = await api.createAvailable({ name: "survivor", storage: { sizeGiB: 2 }, selfHealing: false });
    database = await Database.of(environment, api, cluster.id);
    await database.sql("readWrite", "admin", "CREATE TABLE kept (id int PRIMARY KEY)");
  });

  afterAll(async () => {
    await database[Symbol.asyncDispose]();
    await api.remove(cluster.id);
  });

  /** Writes one more row until it is acknowledged: one whose acknowledgement was lost may be there already. */
  async function write(): Promise<void> {
    await database.sql(
      "readWrite",
      "client",
      `INSERT INTO kept VALUES (${written + 1}) ON CONFLICT DO NOTHING`,
    );
    written += 1;
  }

  async function addressOf(role: "leader" | "replica"): Promise<string> {
    const topology = await api.topology(cluster.id);
    const member = topology.shards[0]?.members.find((candidate) => candidate.role === role);
    const node = cluster.nodes.find(({ id }) => id === member?.nodeId);
    if (node?.address == null) throw new Error(`no ${role} in ${JSON.stringify(topology)}`);
    return node.address;
  }

  async function writesAgain(): Promise<void> {
    await waitFor("writes through 5000 succeed again", recoverySeconds, async () => {
      await write();
      return true;
    });
  }

  /** By an observation that began after the call: an older one may show the cluster before its accident. */
  async function wholeAgain(): Promise<void> {
    const calledAt = Date.now();
    await waitFor("three members stream again", recoverySeconds, async () => {
      const { observedAt, shards } = await api.topology(cluster.id);
      const members = shards[0]?.members ?? [];
      const whole =
        members.filter(({ state }) => state === "running" || state === "streaming").length === 3 &&
        members.some(({ role }) => role === "sync-standby") &&
        Date.parse(observedAt) > calledAt;
      return whole ? true : undefined;
    });
    // A proxy that has just started needs two checks to find the leader, and until then it hangs up.
    const kept = await waitFor("a read through 5000 succeeds", recoverySeconds, () =>
      database.sql("readWrite", "client", "SELECT count(*) FROM kept"),
    );
    expect(kept).toBe(String(written));
  }

  test("the leader's PostgreSQL killed with -9: writes go on and nothing acknowledged is lost", async () => {
    await write();
    process.kill((await postmasterAt(await addressOf("leader"))).pid, "SIGKILL");
    await writesAgain();
    await wholeAgain();
  });

  test("a node rebooted from inside comes back by itself", async () => {
    const address = await addressOf("replica");
    const before = (await initAt(address)).pid;
    await onMachine(address, ["systemctl", "reboot"]).catch(ignoreDeathByReboot);
    await waitFor("another machine runs at the address", recoverySeconds, async () =>
      (await initAt(address)).pid === before ? undefined : true,
    );
    await writesAgain();
    await wholeAgain();
  });

  test("the leader's machine killed is survived, and its return is, too", async () => {
    const address = await addressOf("leader");
    const node = cluster.nodes.find((candidate) => candidate.address === address);
    await write();
    process.kill((await initAt(address)).pid, "SIGKILL");
    // The kernel takes a moment for the rest of the machine, and a write that it still takes proves nothing.
    await waitFor("no process of the machine is left", recoverySeconds, async () =>
      (await processesAt(address)).length === 0 ? true : undefined,
    );
    await writesAgain();

    const ec2 = await ec2Client(environment);
    await ec2.send(new RebootInstancesCommand({ InstanceIds: [node?.instanceId ?? ""] }));
    ec2.destroy();
    await wholeAgain();
  });
});

/** The reboot may take the command's own process with it. */
function ignoreDeathByReboot(error: unknown): void {
  if (!(error instanceof Error && /killed|signal|Command failed/.test(error.message))) throw error;
}
