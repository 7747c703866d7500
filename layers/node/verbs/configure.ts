import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { configurationFiles, lastingEtcd, nodePaths } from "../../domain/config/index.ts";
import type { NodeIntent, Peer } from "../../domain/node/protocol.ts";
import { account } from "../accounts.ts";
import type { VerbFunction } from "../context.ts";
import { awaitDcs } from "../dcs.ts";
import { Deadline } from "../deadline.ts";
import { NodeFailure } from "../failure.ts";
import { ensureDirectory, ensureFile, type FileIntent, readIfPresent, root } from "../files.ts";
import { readKey } from "../identity.ts";
import { type ServiceFiles, serviceFiles } from "../node-files.ts";
import { type NodePasswords, readNodePasswords } from "../passwords.ts";
import { drainPooler } from "../pooler.ts";
import { runAs } from "../process.ts";
import { removeOldPrograms } from "../programs.ts";
import { active, disable, enable, ensureLink, reload, reloadUnits, restart, start } from "../systemd.ts";
import { rememberWritten } from "../written-files.ts";

/** What each running service was started or reloaded with: a configure that died half way is finished by the next. */
const appliedPath = "/var/lib/pgherd/applied.json";
const appliedSchema = z.record(z.string(), z.string());

function findSelf(intent: NodeIntent): Peer {
  const self = intent.peers.find((peer) => peer.nodeId === intent.nodeId);
  if (self === undefined)
    throw new NodeFailure(`${intent.nodeId} is not among its own peers`, { code: "not-a-peer" });
  return self;
}

/** From here on the other key is the past. */
async function keepKey(key: string): Promise<void> {
  await ensureFile({ path: nodePaths.key, content: key, owner: root, mode: 0o600 });
  await rm(nodePaths.nextKey, { force: true });
}

function fingerprint(files: readonly FileIntent[]): string {
  const hash = createHash("sha256");
  for (const file of files) hash.update(JSON.stringify([file.path, file.content]));
  return hash.digest("hex");
}

async function writeFiles(services: readonly ServiceFiles[]): Promise<{ changed: string[]; units: boolean }> {
  const changed: string[] = [];
  let units = false;
  await ensureDirectory(nodePaths.configuration, root, 0o755);
  await ensureDirectory(`${nodePaths.configuration}/tls`, root, 0o755);
  const { uid, gid } = await account("postgres");
  for (const path of [nodePaths.backup, nodePaths.backupSpool, nodePaths.backupLocks]) {
    await ensureDirectory(path, { uid, gid }, 0o700);
  }
  await Promise.all(
    services.map(async ({ tls: [first] }) => {
      if (first !== undefined) await ensureDirectory(dirname(first.path), first.owner, 0o700);
    }),
  );
  // All at once: each waits for the disk, and the disk takes them together.
  const ensured = services.flatMap((service) =>
    [...service.tls, ...service.configuration, service.unitFile].map(async (file) => {
      if (!(await ensureFile(file))) return;
      changed.push(file.path);
      if (dirname(file.path) === nodePaths.units) units = true;
    }),
  );
  await Promise.all(ensured);
  changed.sort();
  return { changed, units };
}

async function readApplied(): Promise<Record<string, string>> {
  const text = await readIfPresent(appliedPath);
  return text === null ? {} : appliedSchema.parse(JSON.parse(text));
}

/** etcd reads its certificates again by itself and its file only at its start; the others reload both. */
function applicable(service: ServiceFiles): readonly FileIntent[] {
  if (service.unit !== "etcd.service")
    return [...service.tls, ...(service.reads ?? []), ...service.configuration];
  return service.configuration.map((file) => ({ ...file, content: lastingEtcd(file.content) }));
}

/** A pooler that is not finished with its clients by then cuts them off. */
const drainMsMax = 30_000;
const proxies = { pgbouncer: "pgbouncer.service", haproxy: "haproxy.service" } as const;

/** Proxies that ran here and should not any more: clients leave the pooler between two transactions. */
async function standDown(self: Peer): Promise<void> {
  const { pgbouncer, haproxy } = proxies;
  const running = await active([pgbouncer, haproxy]);
  if (!self.services.includes("pgbouncer") && running.has(pgbouncer)) {
    await drainPooler(new Deadline(drainMsMax));
    await disable(pgbouncer);
  }
  if (!self.services.includes("haproxy") && running.has(haproxy)) await disable(haproxy);
}

/** pg_ctl: no server runs, or there is no data directory yet. */
const noServer = [1, 4];

/**
 * By signal, as a PostgreSQL that is just starting takes no connection; one that does not run reads everything at its
 * start.
 */
async function reloadPostgres(): Promise<void> {
  const { postgresBin, postgresData } = nodePaths;
  await runAs("postgres", `${postgresBin}/pg_ctl`, ["reload", "-D", postgresData], { answers: noServer });
}

/** A changed unit file counts from the service's next start: no connection is dropped for it. */
async function bringUp(intent: NodeIntent, self: Peer, services: readonly ServiceFiles[]): Promise<void> {
  const units = services.map((service) => service.unit);
  const running = await active(units);
  const applied = await readApplied();
  const wanted = Object.fromEntries(
    services.map((service) => [service.unit, fingerprint(applicable(service))]),
  );
  const changed = services.filter(({ unit }) => running.has(unit) && applied[unit] !== wanted[unit]);
  const staleThat = (whenChanged: ServiceFiles["whenChanged"]): string[] =>
    changed
      .filter((service) => service.whenChanged === whenChanged)
      .map(({ reader, unit }) => reader ?? unit);
  const stale = staleThat("reload");
  await restart(staleThat("restart"));
  await reload(stale);
  // Patroni hands on changed parameters, but does not look into certificates.
  if (stale.includes("patroni.service")) await reloadPostgres();
  const stopped = units.filter((unit) => !running.has(unit));
  // Patroni's first try counts: when etcd does not answer, it sleeps five seconds.
  if (stopped.includes("patroni.service") && !self.services.includes("etcd")) await awaitDcs(intent);
  await start(stopped);
  await ensureFile({ path: appliedPath, content: JSON.stringify(wanted), owner: root, mode: 0o600 });
}

/** The node's own units run the program that knows the node's configuration. */
async function linkOwnProgram(): Promise<void> {
  const [, program] = process.argv;
  if (program === undefined) return;
  await ensureLink(nodePaths.ownProgram, program);
  await removeOldPrograms(nodePaths.programs, program);
}

export const configure: VerbFunction<"configure"> = async (intent, context) => {
  const [key, passwords] = await Promise.all([readKey(intent), readNodePasswords(context, intent)]);
  return applyIntent(intent, key, passwords);
};

/** Writes everything that follows from intent and passwords, and brings the services there. */
export async function applyIntent(
  intent: NodeIntent,
  key: string,
  passwords: NodePasswords,
): Promise<{ changed: string[] }> {
  const self = findSelf(intent);
  const services = await serviceFiles({ intent, self, passwords, key });
  const files = services.flatMap((service) => [...service.tls, ...service.configuration, service.unitFile]);
  const [{ changed, units }] = await Promise.all([
    writeFiles(services),
    rememberWritten(files),
    linkOwnProgram(),
    ensureFile({ path: nodePaths.intent, content: JSON.stringify(intent), owner: root, mode: 0o600 }),
  ]);
  await keepKey(key);
  // What opens another cluster's backups stays no longer than it is needed.
  if (intent.restore === null) await rm(configurationFiles.restore, { force: true });
  await enable(services.map((service) => service.unit));
  if (units) await reloadUnits();
  await standDown(self);
  await bringUp(intent, self, services);
  return { changed };
}
