import type { Api } from "../../test/e2e/support/api.ts";
import type { Environment } from "../../test/e2e/support/environment.ts";
import { prepareLoad } from "../../test/e2e/support/load.ts";
import { onMachine } from "../../test/e2e/support/machines.ts";
import { waitFor } from "../../test/e2e/support/wait.ts";
import { report, stopwatch } from "../figure.ts";
import { Pgherd } from "../peers/pgherd.ts";

/** Tables and indexes of 100,000 accounts. */
const mibPerUnit = 15;
const mibPerGib = 1024;
const gibUsual = 5;

/** The data, as much again that a restore in place keeps aside, and as much for what is written meanwhile. */
const volumeShare = 3;
/** WAL, and what a volume of a small database needs beside it. */
const volumeGibBeside = 4;

/** Filling five gigabytes on two cores, and archiving their WAL, takes minutes. */
const archiveSeconds = 1_800;
/** None of them goes while others are measured. */
const fullsKept = 30;

/** How large the database is: five gigabytes, or as PGHERD_BENCH_GIB says. */
export function databaseGib(): number {
  const gib = Number(process.env["PGHERD_BENCH_GIB"] ?? gibUsual);
  if (!(gib > 0)) throw new Error("PGHERD_BENCH_GIB must be a number above 0: the database's size in GiB");
  return gib;
}

/** A moment to go back to. */
export interface Moment {
  readonly time: string;
  /** What `momentsSql` answers there, and at no other moment. */
  readonly rows: string;
}

export const momentsSql = "SELECT string_agg(number::text, ',' ORDER BY number) FROM moments";

const waitingSegments = "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'";

/** What is measured: a cluster of three with pgbench's tables, and a table that tells one moment from another. */
export class Place {
  readonly environment: Environment;
  readonly api: Api;
  readonly pgherd: Pgherd;
  #moments = 0;

  private constructor(environment: Environment, api: Api, pgherd: Pgherd) {
    this.environment = environment;
    this.api = api;
    this.pgherd = pgherd;
  }

  static async create(environment: Environment, api: Api, stack: AsyncDisposableStack): Promise<Place> {
    const gib = databaseGib();
    const pgherd = await Pgherd.create(environment, api, "bench-backup", stack, {
      storage: { sizeGiB: Math.ceil(gib * volumeShare) + volumeGibBeside },
      // What is measured is what this bench asks for.
      backup: {
        schedules: { full: null, diff: null, incr: null, logical: null },
        retention: { full: fullsKept },
      },
    });
    const scale = Math.max(1, Math.round((gib * mibPerGib) / mibPerUnit));
    report("backup: pgbench's tables made, ms", [await stopwatch(() => prepareLoad(pgherd.database, scale))]);
    await pgherd.sql("CREATE TABLE moments (number int PRIMARY KEY)");
    const bytes = Number(await pgherd.sql("SELECT sum(pg_database_size(oid)) FROM pg_database"));
    report("backup: size of the databases, MiB", [bytes / 1024 ** 2]);
    return new Place(environment, api, pgherd);
  }

  get path(): string {
    return `/v1/clusters/${this.pgherd.cluster.id}`;
  }

  /** Until nothing of what was written before is still on its way: what is measured next pays for itself alone. */
  async settle(): Promise<void> {
    const leader = await this.pgherd.leaderAddress();
    await asPostgres(leader, "psql -qXc CHECKPOINT postgres");
    await waitFor("all WAL is archived", archiveSeconds, async () =>
      (await this.pgherd.sql(waitingSegments)) === "0" ? true : undefined,
    );
  }

  /** Something is written before it and after it. */
  async moment(): Promise<Moment> {
    await this.#write();
    const rows = await this.pgherd.sql(momentsSql);
    const time = await this.pgherd.sql(
      "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
    );
    await this.#write();
    return { time, rows };
  }

  async #write(): Promise<void> {
    this.#moments += 1;
    await this.pgherd.sql(`INSERT INTO moments VALUES (${this.#moments})`);
  }
}

/** A command as the user that PostgreSQL runs as, on a node's console. */
export function asPostgres(address: string, command: string): Promise<string> {
  return onMachine(address, ["su", "postgres", "-s", "/bin/sh", "-c", command]);
}
