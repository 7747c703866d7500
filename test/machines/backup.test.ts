import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { z } from "zod";
import { expireArchiveOptions } from "../../layers/node/backup/pgbackrest.ts";
import type { MachineSpec } from "../../local/machines/driver.ts";
import { nodeImage } from "./support/machines.ts";
import { bucket, ObjectLab, region, roleName } from "./support/object-store.ts";

/** A backup of an empty database on two busy cores. */
const slowSeconds = 60;
const host = `s3.${region}.amazonaws.com`;
const data = "/var/lib/postgresql/17/main";

/** What pgherd will have there, from a stock pgBackRest's point of view: nothing says that this is not AWS. */
const configuration = `[global]
repo1-type=s3
repo1-s3-bucket=${bucket}
repo1-s3-endpoint=${host}
repo1-s3-region=${region}
repo1-s3-key-type=auto
repo1-s3-uri-style=path
repo1-storage-verify-tls=y
repo1-path=/clusters/clu_lab/0
repo1-cipher-type=aes-256-cbc
repo1-cipher-pass=a-pass-of-this-test
repo1-bundle=y
repo1-block=y
repo1-retention-full=2
compress-type=zst
start-fast=y
archive-async=y
spool-path=/var/spool/pgbackrest
process-max=2
io-timeout=10

[global:archive-push]
archive-timeout=5

[main]
pg1-path=${data}
pg1-socket-path=/tmp
`;

let objects: ObjectLab;
let machine: MachineSpec;

beforeAll(async () => {
  objects = await ObjectLab.create(await nodeImage());
  machine = objects.machine(4);
  await objects.lab.driver.boot(machine);
  await root(`cat > /etc/pgbackrest.conf <<'EOT'\n${configuration}EOT
    chown root:postgres /etc/pgbackrest.conf && chmod 0640 /etc/pgbackrest.conf
    install -d -o postgres -g postgres -m 0750 /var/spool/pgbackrest`);
  await postgres(`/usr/lib/postgresql/17/bin/initdb --no-sync -D ${data} >/dev/null
    cat >> ${data}/postgresql.conf <<'EOT'
listen_addresses = ''
unix_socket_directories = '/tmp'
archive_mode = on
archive_command = 'pgbackrest --stanza=main archive-push %p'
EOT
    /usr/lib/postgresql/17/bin/pg_ctl -D ${data} -l /tmp/log -w start >/dev/null`);
  await postgres("pgbackrest --stanza=main stanza-create");
});
afterAll(async () => {
  await objects[Symbol.asyncDispose]();
});

function root(script: string): Promise<string> {
  return objects.lab.shell(machine, script, slowSeconds);
}

function postgres(script: string): Promise<string> {
  return root(`cd /tmp && runuser -u postgres -- sh -euc '${script.replaceAll("'", `'\\''`)}'`);
}

const sql = (text: string) => postgres(`psql -h /tmp -AtX -c "${text}"`);

const infoSchema = z.array(
  z.object({
    status: z.object({ code: z.number() }),
    backup: z.array(
      z.object({
        label: z.string(),
        type: z.enum(["full", "diff", "incr"]),
        archive: z.object({ start: z.string() }),
        error: z.boolean().nullable().optional(),
      }),
    ),
    archive: z.array(z.object({ min: z.string(), max: z.string() })),
  }),
);

async function info() {
  const [stanza] = infoSchema.parse(
    JSON.parse(await postgres("pgbackrest --stanza=main --output=json info")),
  );
  if (stanza === undefined) throw new Error("pgBackRest knows no stanza");
  return stanza;
}

/** Ends the WAL file that is written now and waits until it is in the archive; one with nothing in it does not end. */
async function archiveNow(): Promise<string> {
  await sql("select pg_create_restore_point('something')");
  const wal = await sql("select pg_walfile_name(pg_switch_wal())");
  await vi.waitFor(async () => expect((await info()).archive[0]?.max).toBe(wal), {
    timeout: slowSeconds * 1000,
    interval: 500,
  });
  return wal;
}

test("S3 is reached by its own name over TLS that the system's CAs verify, and by no other name", async () => {
  const ask = (name: string) =>
    `echo | openssl s_client -brief -verify_return_error -verify_hostname ${name} -connect ${host}:443 2>&1`;
  expect(await root(ask(host))).toContain("Verification: OK");
  expect(await root(`${ask("example.com")} || true`)).toContain("hostname mismatch");
});

test("backups full and incremental are taken with the role's credentials, and restored with every row", async () => {
  await sql("create table rows as select generate_series(1, 50000) as id");
  await postgres("pgbackrest --stanza=main --type=full backup");
  await sql("insert into rows select generate_series(50001, 60000)");
  await postgres("pgbackrest --stanza=main --type=incr backup");
  await sql("insert into rows select generate_series(60001, 60010)");
  await archiveNow();

  const { status, backup } = await info();
  expect(status.code).toBe(0);
  expect(backup.map(({ type }) => type)).toEqual(["full", "incr"]);

  const restored = "/var/lib/postgresql/17/restored";
  await postgres(`pgbackrest --stanza=main --pg1-path=${restored} --archive-mode=off restore
    /usr/lib/postgresql/17/bin/pg_ctl -D ${restored} -o "-p 5433" -l /tmp/restored.log -w start >/dev/null
    for attempt in $(seq 100); do
      [ "$(psql -h /tmp -p 5433 -AtX -c "select pg_is_in_recovery()")" = f ] && break; sleep 0.1
    done`);
  expect(await postgres('psql -h /tmp -p 5433 -AtX -c "select count(*), max(id) from rows"')).toBe(
    "60010|60010",
  );
  await postgres(`/usr/lib/postgresql/17/bin/pg_ctl -D ${restored} -m immediate stop >/dev/null`);

  await postgres(`pgbackrest --stanza=main --set=${backup[1]?.label} expire`);
  expect((await info()).backup.map(({ type }) => type)).toEqual(["full"]);

  const calls = objects.recorder.list();
  expect(new Set(calls.map((call) => call.roleName))).toEqual(new Set([roleName]));
  const failures = calls.filter(({ errorCode }) => errorCode !== null && errorCode !== "NoSuchKey");
  expect(failures).toEqual([]);
  const known = ["DeleteObjects", "GetObject", "HeadObject", "ListObjectsV2", "PutObject"];
  expect([...new Set(calls.map(({ action }) => action))].sort()).toEqual(expect.arrayContaining(known));
});

test("an archive that S3 refused or that found nobody there has no gap afterwards", {
  timeout: 2 * slowSeconds * 1000,
}, async () => {
  const before = await archiveNow();
  await objects.killEndpoint();
  for (let file = 0; file < 3; file += 1) {
    await sql("insert into rows select 0; select pg_switch_wal()");
  }
  await objects.startEndpoint();
  const effect = { kind: "error", code: "ServiceUnavailable", statusCode: 503 } as const;
  objects.faults.add({ service: "s3", action: "PutObject", times: 3, effect });
  const after = await archiveNow();

  const number = (wal: string) => Number.parseInt(wal.slice(8, 16) + wal.slice(22), 16);
  const kept = await postgres("pgbackrest --stanza=main repo-ls --recurse --filter=[0-9A-F]{24}- archive");
  const numbers = kept.split("\n").map((path) => number(path.split("/").at(-1)?.slice(0, 24) ?? ""));
  const expected = Array.from(
    { length: number(after) - number(before) + 1 },
    (_, step) => number(before) + step,
  );
  expect(numbers).toEqual(expect.arrayContaining(expected));
  await postgres("pgbackrest --stanza=main verify");
});

test("WAL of before the first full backup that is left goes, and none after it", async () => {
  await postgres("pgbackrest --stanza=main --type=incr backup");
  await postgres("pgbackrest --stanza=main --type=full backup");
  await archiveNow();
  const expire = async () => {
    const options = expireArchiveOptions((await info()).backup) ?? [];
    await postgres(`pgbackrest --stanza=main ${options.join(" ")} expire`);
    const { archive, backup } = await info();
    return { min: archive[0]?.min, labels: backup.map(({ label }) => label) };
  };
  const before = await info();
  const [first, incr, second] = before.backup;
  expect(await expire()).toEqual({
    min: first?.archive.start,
    labels: before.backup.map(({ label }) => label),
  });
  for (const gone of [incr, first]) await postgres(`pgbackrest --stanza=main --set=${gone?.label} expire`);
  expect(await expire()).toEqual({ min: second?.archive.start, labels: [second?.label] });
  await sql("insert into rows select 0");
  await archiveNow();
  await postgres("pgbackrest --stanza=main verify");
});
