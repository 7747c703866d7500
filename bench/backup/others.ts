import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { GetParameterCommand } from "@aws-sdk/client-ssm";
import { type Cluster, passwordParameter } from "@pgherd/layers/domain";
import { shellAt } from "../../test/e2e/support/accidents.ts";
import { awsSettings, backupBucket, s3Client, ssmClient } from "../../test/e2e/support/aws.ts";
import type { Environment } from "../../test/e2e/support/environment.ts";
import { initAt } from "../../test/e2e/support/machines.ts";
import { stopwatch } from "../figure.ts";
import { asPostgres } from "./place.ts";

const postgresData = "/var/lib/pgherd/data/postgres/17";
const workplace = "/var/lib/pgbackrest/bench";
const configuration = `${workplace}/pgbackrest.conf`;
const passfile = "/var/lib/pgbackrest/bench.pgpass";

/** What one full backup came to. */
export interface Taken {
  readonly ms: number;
  readonly repositoryBytes: number;
}

/** Another way to take a full backup, by hand on the leader's node, as who has nothing else does it. */
export interface OtherWay {
  readonly name: string;
  readonly take: (leader: string) => Promise<Taken>;
}

/**
 * pgBackRest with what it does where nobody says otherwise: one process, gzip, one file per file, no encryption, read
 * from the leader. Two things are said. It asks for a checkpoint, as waiting for the next one says nothing of its speed;
 * and it does not look for WAL in its repository, as the leader archives to the cluster's.
 */
function plain(name: string, settings: readonly string[]): OtherWay {
  return {
    name,
    take: async (leader) => {
      await writeConfiguration(leader, settings);
      const pgbackrest = `pgbackrest --config=${configuration} --stanza=bench`;
      try {
        await asPostgres(leader, `${pgbackrest} stanza-create`);
        const ms = await stopwatch(() =>
          asPostgres(leader, `${pgbackrest} --type=full --start-fast --no-archive-check backup`),
        );
        const info = await asPostgres(leader, `${pgbackrest} --output=json info`);
        return { ms, repositoryBytes: Number(/"repository":\{"delta":(\d+)/.exec(info)?.[1]) };
      } finally {
        // A backup that is there already would make the next one another one.
        await asPostgres(
          leader,
          `${pgbackrest} stop && ${pgbackrest} --force stanza-delete; ${pgbackrest} start`,
        );
        await shellAt(leader, `rm -rf ${workplace}`);
      }
    },
  };
}

async function writeConfiguration(leader: string, settings: readonly string[]): Promise<void> {
  const lines = [
    "[global]",
    `lock-path=${workplace}/lock`,
    "log-level-file=off",
    ...settings,
    "[bench]",
    `pg1-path=${postgresData}`,
    "pg1-socket-path=/run/postgresql",
    "",
  ];
  await shellAt(leader, `rm -rf ${workplace} && install -d -o postgres -g postgres -m 0700 ${workplace}`);
  await writeSecret(leader, configuration, lines.join("\n"));
}

/** A file of a node that nobody but PostgreSQL's user reads. */
async function writeSecret(address: string, path: string, content: string): Promise<void> {
  const { pid } = await initAt(address);
  await writeFile(`/proc/${pid}/root${path}`, content, { mode: 0o600 });
  await shellAt(address, `chown postgres:postgres ${path}`);
}

export const usualWay = plain("pgbackrest, its defaults, to a directory of the node", [
  `repo1-path=${workplace}/repository`,
]);

/** To where pgherd's go, through the same TLS. */
async function toBucket(environment: Environment): Promise<OtherWay> {
  const { credentials, region } = await awsSettings(environment, "S3");
  const s3 = await s3Client(environment);
  try {
    const bucket = await backupBucket(s3);
    return plain("pgbackrest, its defaults, to the same S3", [
      "repo1-type=s3",
      "repo1-path=/bench",
      `repo1-s3-bucket=${bucket}`,
      `repo1-s3-endpoint=s3.${region}.amazonaws.com`,
      `repo1-s3-region=${region}`,
      "repo1-s3-uri-style=path",
      `repo1-s3-key=${credentials.accessKeyId}`,
      `repo1-s3-key-secret=${credentials.secretAccessKey}`,
    ]);
  } finally {
    s3.destroy();
  }
}

/** A tape archive with the WAL that it needs, compressed beside it, into a file of this host. */
async function baseBackup(environment: Environment, cluster: Cluster): Promise<OtherWay> {
  const password = await replicationPassword(environment, cluster);
  return {
    name: "pg_basebackup | zstd, to a file",
    take: async (leader) => {
      const directory = await mkdtemp(join(tmpdir(), "pgherd-bench-basebackup-"));
      try {
        const file = join(directory, "base.tar.zst");
        const ms = await stopwatch(() => streamBaseBackup(leader, password, file));
        return { ms, repositoryBytes: (await stat(file)).size };
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    },
  };
}

async function replicationPassword(environment: Environment, { id }: Cluster): Promise<string> {
  const ssm = await ssmClient(environment);
  try {
    const Name = passwordParameter("local", id, "replicator");
    const { Parameter } = await ssm.send(new GetParameterCommand({ Name, WithDecryption: true }));
    if (Parameter?.Value === undefined) throw new Error(`${Name} has no value`);
    return Parameter.Value;
  } finally {
    ssm.destroy();
  }
}

/** The node's own program, as this host's may be older than the server; over TLS, as the cluster asks for it. */
async function streamBaseBackup(leader: string, password: string, path: string): Promise<void> {
  await writeSecret(leader, passfile, `*:*:*:replicator:${password}\n`);
  const { pid } = await initAt(leader);
  const pgBaseBackup = [
    `PGPASSFILE=${passfile} PGSSLMODE=require pg_basebackup --host=${leader} --username=replicator --no-password`,
    "--pgdata=- --format=tar --wal-method=fetch --checkpoint=fast",
  ].join(" ");
  const source = spawn(
    "nsenter",
    ["-t", String(pid), "-a", "su", "postgres", "-s", "/bin/sh", "-c", pgBaseBackup],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const compressor = spawn("zstd", ["-q", "-c"], { stdio: ["pipe", "pipe", "inherit"] });
  await Promise.all([
    ended(source, "pg_basebackup"),
    ended(compressor, "zstd"),
    pipeline(source.stdout, compressor.stdin),
    pipeline(compressor.stdout, createWriteStream(path)),
  ]);
}

function ended(child: ChildProcess, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("error", (error) => reject(new Error(`${name} cannot be run`, { cause: error })));
    child.once("close", (code, by) => {
      if (code === 0) resolve();
      else reject(new Error(`${name} ended with ${code ?? by}`));
    });
  });
}

export async function otherWays(environment: Environment, cluster: Cluster): Promise<readonly OtherWay[]> {
  return [usualWay, await toBucket(environment), await baseBackup(environment, cluster)];
}
