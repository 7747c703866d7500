import {
  archiveMender,
  backupServerUnit,
  configurationFiles,
  type ExporterName,
  exporterNames,
  exporterSocketUnit,
  exporterUnit,
  gateSocketUnit,
  gateUnit,
  guardUnit,
  handoverUnit,
  metricsFrontUnit,
  metricsSocketUnit,
  metricsUnit,
  nodePaths,
  patroniWrapper,
  renderBackupServerUnit,
  renderEtcd,
  renderEtcdUnit,
  renderExporterSocket,
  renderExporterUnit,
  renderGateSocket,
  renderGateUnit,
  renderGuard,
  renderGuardUnit,
  renderHandoverUnit,
  renderHaproxy,
  renderHaproxyUnit,
  renderMetrics,
  renderMetricsFrontUnit,
  renderMetricsSocket,
  renderMetricsUnit,
  renderPatroni,
  renderPatroniUnit,
  renderPgbackrest,
  renderPgbouncer,
  renderPgbouncerUnit,
  renderPgbouncerUsers,
  renderRestoreSource,
  type TlsOwner,
  tlsFiles,
} from "../domain/config/index.ts";
import type { NodeIntent, Peer } from "../domain/node/protocol.ts";
import { account } from "./accounts.ts";
import { type FileIntent, root } from "./files.ts";
import type { NodePasswords } from "./passwords.ts";

/** A service of the node and every file that it reads. */
export interface ServiceFiles {
  readonly unit: string;
  /** What the running service is told when its files have changed. */
  readonly whenChanged: "restart" | "reload" | "nothing";
  /** Who reads the files where the unit only waits for somebody to start it for. */
  readonly reader?: string;
  readonly unitFile: FileIntent;
  readonly tls: readonly FileIntent[];
  /** Files of another service that this one has to be told of when they change. */
  readonly reads?: readonly FileIntent[];
  readonly configuration: readonly FileIntent[];
}

export interface NodeFilesInput {
  readonly intent: NodeIntent;
  readonly self: Peer;
  readonly passwords: NodePasswords;
  readonly key: string;
}

async function privateFile(user: string, path: string, content: string): Promise<FileIntent> {
  return { path, content, owner: await account(user), mode: 0o600 };
}

function unitFile(name: string, content: string): FileIntent {
  return { path: `${nodePaths.units}/${name}`, content, owner: root, mode: 0o644 };
}

/** Copies of key and certificates, so that each service reads its own and no other user can. */
async function tlsOf(owner: TlsOwner, input: NodeFilesInput): Promise<FileIntent[]> {
  const files = tlsFiles(owner);
  const { nodeCertificate, authorityCertificate } = input.intent;
  const contents: [string, string][] =
    owner === "haproxy"
      ? [[files.bundle, `${nodeCertificate.trimEnd()}\n${input.key}`]]
      : [
          [files.key, input.key],
          [files.certificate, nodeCertificate],
        ];
  contents.push([files.authority, authorityCertificate]);
  return Promise.all(contents.map(([path, content]) => privateFile(owner, path, content)));
}

async function etcd(input: NodeFilesInput): Promise<ServiceFiles> {
  const { intent, self } = input;
  return {
    unit: "etcd.service",
    whenChanged: "restart",
    unitFile: unitFile("etcd.service", renderEtcdUnit()),
    tls: await tlsOf("etcd", input),
    configuration: [await privateFile("etcd", configurationFiles.etcd, renderEtcd(intent, self))],
  };
}

async function patroni(input: NodeFilesInput): Promise<ServiceFiles> {
  const { intent, self, passwords } = input;
  const content = renderPatroni(intent, self, passwords);
  const source =
    intent.restore === null || passwords.source === null
      ? []
      : [
          await privateFile(
            "postgres",
            configurationFiles.restore,
            renderRestoreSource(intent, intent.restore, passwords.source),
          ),
        ];
  return {
    unit: "patroni.service",
    whenChanged: "reload",
    unitFile: unitFile("patroni.service", renderPatroniUnit(intent.spec.failover.wrapper)),
    tls: await tlsOf("postgres", input),
    configuration: [
      await privateFile("postgres", configurationFiles.patroni, content),
      ...source,
      { path: configurationFiles.patroniWrapper, content: patroniWrapper, owner: root, mode: 0o644 },
      { path: configurationFiles.archiveMender, content: archiveMender(), owner: root, mode: 0o644 },
    ],
  };
}

async function haproxy(input: NodeFilesInput): Promise<ServiceFiles> {
  const content = renderHaproxy(input.intent.peers, input.self);
  return {
    unit: "haproxy.service",
    whenChanged: "reload",
    unitFile: unitFile("haproxy.service", renderHaproxyUnit()),
    tls: await tlsOf("haproxy", input),
    configuration: [await privateFile("haproxy", configurationFiles.haproxy, content)],
  };
}

async function pgbouncer(input: NodeFilesInput): Promise<ServiceFiles> {
  const { intent, passwords } = input;
  const poolers = intent.peers.filter((peer) => peer.services.includes("pgbouncer")).length;
  const logins = [...intent.logins, "monitor"] as const;
  const users = renderPgbouncerUsers(logins.flatMap((login) => loginOf(login, passwords[login])));
  return {
    unit: "pgbouncer.service",
    whenChanged: "reload",
    unitFile: unitFile("pgbouncer.service", renderPgbouncerUnit()),
    tls: await tlsOf("pgbouncer", input),
    configuration: [
      await privateFile("pgbouncer", configurationFiles.pgbouncer, renderPgbouncer(intent.spec, poolers)),
      await privateFile("pgbouncer", configurationFiles.pgbouncerUsers, users),
    ],
  };
}

function loginOf(name: string, password: string | undefined): [string, string][] {
  return password === undefined ? [] : [[name, password]];
}

/** The gate starts anew for each role change, so there is nothing to reload. */
async function gate(input: NodeFilesInput): Promise<ServiceFiles> {
  return {
    unit: gateSocketUnit,
    whenChanged: "nothing",
    unitFile: unitFile(gateSocketUnit, renderGateSocket()),
    // It runs as PgBouncer's user, whose copies are there already where PgBouncer is.
    tls: input.self.services.includes("pgbouncer") ? [] : await tlsOf("pgbouncer", input),
    configuration: [unitFile(gateUnit, renderGateUnit())],
  };
}

function handover(): ServiceFiles {
  const file = unitFile(handoverUnit, renderHandoverUnit());
  return { unit: handoverUnit, whenChanged: "nothing", unitFile: file, tls: [], configuration: [] };
}

/** Every node has all of them, whatever it runs: what is not asked for does not start. */
async function metrics(input: NodeFilesInput): Promise<ServiceFiles[]> {
  const { self } = input;
  const tls = await tlsOf("haproxy", input);
  const isHaproxyHere = self.services.includes("haproxy");
  return [
    {
      unit: metricsSocketUnit,
      whenChanged: "restart",
      reader: metricsFrontUnit,
      unitFile: unitFile(metricsSocketUnit, renderMetricsSocket()),
      tls: isHaproxyHere ? [] : tls,
      reads: isHaproxyHere ? tls : [],
      configuration: [
        await privateFile("haproxy", configurationFiles.metrics, renderMetrics(self)),
        unitFile(metricsUnit, renderMetricsUnit()),
        unitFile(metricsFrontUnit, renderMetricsFrontUnit()),
      ],
    },
    ...exporterNames.map(exporter),
  ];
}

/** A changed exporter counts from its next start, as every unit. */
function exporter(name: ExporterName): ServiceFiles {
  return {
    unit: exporterSocketUnit(name),
    whenChanged: "nothing",
    unitFile: unitFile(exporterSocketUnit(name), renderExporterSocket(name)),
    tls: [],
    configuration: [unitFile(exporterUnit(name), renderExporterUnit(name))],
  };
}

/** It asks with Patroni's copies of key and certificates, and reads them for each question. */
function guard({ intent, self }: NodeFilesInput): ServiceFiles {
  const content = renderGuard(intent, self);
  return {
    unit: guardUnit,
    whenChanged: "restart",
    unitFile: unitFile(guardUnit, renderGuardUnit()),
    tls: [],
    configuration: [{ path: configurationFiles.guard, content, owner: root, mode: 0o644 }],
  };
}

/** Its file is read by every archiver and backup anew; what runs is only there for other nodes. */
async function backupServer(input: NodeFilesInput): Promise<ServiceFiles[]> {
  const { intent, passwords, self } = input;
  const { repository } = passwords;
  if (intent.backups === null || repository === null) return [];
  const content = renderPgbackrest(intent, self, intent.backups, repository);
  return [
    {
      unit: backupServerUnit,
      whenChanged: "reload",
      unitFile: unitFile(backupServerUnit, renderBackupServerUnit()),
      tls: [],
      reads: await tlsOf("postgres", input),
      configuration: [await privateFile("postgres", configurationFiles.pgbackrest, content)],
    },
  ];
}

const makers = { etcd, postgres: patroni, haproxy, pgbouncer } as const;

/** The services of the node in the order in which they start. */
export async function serviceFiles(input: NodeFilesInput): Promise<ServiceFiles[]> {
  const order = ["etcd", "postgres", "haproxy", "pgbouncer"] as const;
  const present = order.filter((service) => input.self.services.includes(service));
  const own = await Promise.all(present.map((service) => makers[service](input)));
  const leadsClients = present.includes("haproxy") || present.includes("pgbouncer");
  return [
    ...own,
    ...(present.includes("postgres") ? [guard(input), ...(await backupServer(input))] : []),
    ...(leadsClients ? [await gate(input)] : []),
    ...(present.some((service) => service !== "etcd") ? [handover()] : []),
    ...(await metrics(input)),
  ];
}
