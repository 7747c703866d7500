import type { NodeService } from "../../domain/cluster/cluster.ts";
import { nodePaths } from "../../domain/config/index.ts";
import type { VerbFunction } from "../context.ts";
import { controlData } from "../control-data.ts";
import { Deadline } from "../deadline.ts";
import { NodeFailure } from "../failure.ts";
import { readOwnIntent } from "../own-intent.ts";
import { run, runAs } from "../process.ts";
import { runSql } from "../psql.ts";
import { active } from "../systemd.ts";

const units: Readonly<Record<NodeService, string>> = {
  pgbouncer: "pgbouncer.service",
  haproxy: "haproxy.service",
  postgres: "patroni.service",
  etcd: "etcd.service",
};
/** Clients first, so that nobody meets a half-stopped node; what others need to stop comes last. */
const order: readonly NodeService[] = ["pgbouncer", "haproxy", "postgres", "etcd"];
/** A replica that cannot catch up is not waited for longer: what it lacks is on the leader. */
const catchUpMsMax = 15_000;

/** Reads a file and looks for a process. */
const statusMsMax = 5_000;

/** What the leader has sent word of and the replica has not flushed yet. On a leader there is nothing to wait for. */
const hasCaughtUpSql = `SELECT pg_catalog.pg_last_wal_receive_lsn() >= latest_end_lsn
FROM pg_catalog.pg_stat_wal_receiver WHERE status = 'streaming';`;

/** A replica keeps everything that clients were told before they were cut off. */
async function catchUp(deadline: Deadline): Promise<void> {
  const limit = new Deadline(Math.min(catchUpMsMax, deadline.remainingMs));
  try {
    while (!limit.passed) {
      const [caughtUp] = await runSql("postgres", hasCaughtUpSql);
      if (caughtUp !== "f") return;
    }
  } catch (error) {
    // PostgreSQL is down already, or does not answer: then it is stopped as it is.
    if (!(error instanceof NodeFailure)) throw error;
  }
}

async function stopUnit(unit: string, deadline: Deadline): Promise<void> {
  await run("systemctl", ["stop", unit], { timeoutMs: deadline.remainingMs });
}

const stoppedStates: readonly string[] = ["shut down", "shut down in recovery"];

/**
 * Patroni stops PostgreSQL; where Patroni was killed before its time, PostgreSQL is still there and is stopped here.
 * One that has crashed before is as stopped as it can be: it recovers when it is started.
 */
export async function stopPostgres(deadline: Deadline): Promise<string | null> {
  await catchUp(deadline);
  await stopUnit(units.postgres, deadline);
  const data = await controlData();
  // A member that was never cloned has no data and no checkpoint.
  if (data === null) return null;
  if (stoppedStates.includes(data.state)) return data.checkpoint;
  const seconds = Math.max(1, Math.floor(deadline.remainingMs / 1000));
  const stop = ["stop", "-m", "fast", "-w", "-t", String(seconds)];
  // 1: there is no server to stop, or it did not stop in time.
  await pgCtl(stop, { timeoutMs: deadline.remainingMs + 1000, answers: [1] });
  const after = await controlData();
  if (after !== null && stoppedStates.includes(after.state)) return after.checkpoint;
  if (await isRunning()) {
    throw new NodeFailure(`PostgreSQL did not shut down in time: it is "${after?.state ?? "unknown"}"`, {
      code: "not-shut-down",
    });
  }
  return null;
}

function pgCtl(args: readonly string[], options: Parameters<typeof runAs>[3]): ReturnType<typeof runAs> {
  return runAs(
    "postgres",
    `${nodePaths.postgresBin}/pg_ctl`,
    [...args, "-D", nodePaths.postgresData],
    options,
  );
}

export async function isRunning(): Promise<boolean> {
  // 3: no server runs. 4: there is no data directory that could be read.
  return (await pgCtl(["status"], { timeoutMs: statusMsMax, answers: [3, 4] })).code === 0;
}

export const shutDown: VerbFunction<"shut-down"> = async (input) => {
  const intent = await readOwnIntent(input);
  const own = intent.peers.find((peer) => peer.nodeId === intent.nodeId)?.services ?? [];
  const wanted = order.filter((service) => input.services.includes(service) && own.includes(service));
  const running = await active(wanted.map((service) => units[service]));
  const deadline = new Deadline(input.deadlineSeconds * 1000);
  let checkpoint: string | null = null;
  for (const service of wanted) {
    if (service === "postgres") checkpoint = await stopPostgres(deadline);
    else await stopUnit(units[service], deadline);
  }
  return { stopped: wanted.map((service) => units[service]).filter((unit) => running.has(unit)), checkpoint };
};
