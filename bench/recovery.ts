import { setTimeout as delay } from "node:timers/promises";
import type { Cluster } from "@pgherd/layers/domain";
import type { Api } from "../test/e2e/support/api.ts";
import { Database } from "../test/e2e/support/database.ts";
import type { Environment } from "../test/e2e/support/environment.ts";
import { postmasterAt } from "../test/e2e/support/machines.ts";
import { waitFor } from "../test/e2e/support/wait.ts";
import { report, stopwatch } from "./figure.ts";

const runs = 5;
const recoverySeconds = 60;
/** The cluster is whole again long before; the next kill must hit a leader with standbys. */
const settleMs = 12_000;
const probeMs = 20;

interface Topology {
  readonly shards: { leader: string | null }[];
}

/** The leader's PostgreSQL killed with -9: until a client that connects anew writes again through 5000. */
export async function benchRecovery(environment: Environment, api: Api): Promise<void> {
  const cluster: Cluster = await api.createAvailable({ name: "bench-recovery" });
  await using database = await Database.of(environment, api, cluster.id);
  await database.sql("readWrite", "admin", "CREATE TABLE beats (at timestamptz DEFAULT now())");
  const times: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    await delay(settleMs);
    const { body } = await api.get<Topology>(`/v1/clusters/${cluster.id}/topology`);
    const leader = cluster.nodes.find(({ id }) => id === body.shards[0]?.leader);
    process.kill((await postmasterAt(leader?.address ?? "")).pid, "SIGKILL");
    times.push(
      await stopwatch(() =>
        waitFor(
          "a write through 5000",
          recoverySeconds,
          () => database.sql("readWrite", "client", "INSERT INTO beats DEFAULT VALUES RETURNING 1"),
          probeMs,
        ),
      ),
    );
  }
  report("leader's PostgreSQL killed: writable again through 5000, ms", times);
  await api.remove(cluster.id);
}
