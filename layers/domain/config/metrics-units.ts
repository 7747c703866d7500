import { nodePorts } from "../cluster/node-ports.ts";
import { configurationFiles, nodePaths } from "./paths.ts";
import { hardening } from "./units.ts";

/**
 * Units of a node's metrics (docs/decisions/metrics.md). Until somebody asks, systemd alone listens. The first question
 * starts a front with the node's certificate, and the exporters that it needs; a while after the last one they stop.
 */

export const metricsSocketUnit = "pgherd-metrics.socket";
export const metricsUnit = "pgherd-metrics.service";
export const metricsFrontUnit = "pgherd-metrics-front.service";

/** Longer than anybody leaves between two scrapes, so that who scrapes finds everything running. */
const idleTime = "10min";

/** Below PostgreSQL in everything: under pressure the kernel takes these first, and numbers are late rather than data. */
const humble = `Nice=10
OOMScoreAdjust=500
TimeoutStopSec=5`;

/** What cannot start takes no more than the question that it was started for. */
const socketTail = `# Questions that nothing answered are hung up on; the next one is another try.
FlushPending=yes

[Install]
WantedBy=multi-user.target
`;
const tryAgain = "StartLimitIntervalSec=0";

export function renderMetricsSocket(): string {
  return `[Unit]
Description=Where Prometheus asks for this node's metrics

[Socket]
ListenStream=${nodePorts.metrics}
${socketTail}`;
}

export function renderMetricsUnit(): string {
  return `[Unit]
Description=The way to this node's metrics, as long as somebody asks for them
BindsTo=${metricsFrontUnit}
After=${metricsFrontUnit}
${tryAgain}

[Service]
Type=notify
User=haproxy
ExecStart=/usr/lib/systemd/systemd-socket-proxyd --exit-idle-time=${idleTime} ${nodePaths.metricsFront}
${humble}
${hardening}
`;
}

export function renderMetricsFrontUnit(): string {
  return `[Unit]
Description=HAProxy before this node's metrics
StopWhenUnneeded=yes
${tryAgain}

[Service]
Type=notify
User=haproxy
ExecStart=/usr/sbin/haproxy -Ws -f ${configurationFiles.metrics}
KillMode=mixed
SuccessExitStatus=143
RuntimeDirectory=pgherd-metrics
RuntimeDirectoryMode=0700
${humble}
${hardening}
`;
}

interface Exporter {
  /** The package's program; its unit has the same name. */
  readonly program: string;
  readonly user: string;
  readonly options: readonly string[];
  /** Of its service, beside what all have. */
  readonly lines: readonly string[];
}

/** What is worth looking at on a machine that runs a database; the others read much of /proc and /sys for little. */
const nodeCollectors = [
  "cpu",
  "diskstats",
  "filefd",
  "filesystem",
  "loadavg",
  "meminfo",
  "netdev",
  "netstat",
  "stat",
  "time",
  "uname",
  "vmstat",
];

/** A series per table and column of a database would be most of what Prometheus keeps; SQL shows them just as well. */
const postgresCollectorsOff = ["stat_user_tables", "statio_user_tables"];

/** As libpq has it; no value has a character that it would have to be quoted for. */
const connectionString = (settings: Readonly<Record<string, string | number>>): string =>
  Object.entries({ ...settings, sslmode: "disable" })
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");

/** Each logs in on a local socket by being who it is, so that none needs a password. */
export const exporters = {
  node: {
    program: "prometheus-node-exporter",
    user: "prometheus",
    options: [
      "--collector.disable-defaults",
      ...nodeCollectors.map((name) => `--collector.${name}`),
      // systemd takes a dollar for a variable where it is not doubled.
      `--collector.filesystem.mount-points-include=^(/|${nodePaths.data})$$`,
    ],
    lines: [
      "# It tells which file systems are read-only, and here none is for it alone.",
      "ProtectSystem=no",
    ],
  },
  postgres: {
    program: "prometheus-postgres-exporter",
    user: "prometheus",
    options: postgresCollectorsOff.map((name) => `--no-collector.${name}`),
    lines: [
      `Environment="DATA_SOURCE_NAME=${connectionString({ host: nodePaths.postgresSocket, user: "monitor", dbname: "postgres" })}"`,
    ],
  },
  pgbouncer: {
    program: "prometheus-pgbouncer-exporter",
    user: "pgbouncer",
    options: [
      `"--pgBouncer.connectionString=${connectionString({ host: nodePaths.poolerSocket, port: nodePorts.pooled, user: "pgbouncer", dbname: "pgbouncer" })}"`,
    ],
    lines: [
      "# PgBouncer lets its own user into its console; what else that user may read is none of its business.",
      `InaccessiblePaths=${nodePaths.configuration}`,
    ],
  },
} as const satisfies Record<string, Exporter>;
export type ExporterName = keyof typeof exporters;
export const exporterNames: readonly ExporterName[] = ["node", "postgres", "pgbouncer"];

export const exporterSocketUnit = (name: ExporterName): string => `${exporters[name].program}.socket`;
export const exporterUnit = (name: ExporterName): string => `${exporters[name].program}.service`;
export const exporterSocket = (name: ExporterName): string => `${nodePaths.exporters}/${name}.sock`;

export function renderExporterSocket(name: ExporterName): string {
  const { program } = exporters[name];
  return `[Unit]
Description=Where the metrics' front finds ${program}
ConditionFileIsExecutable=/usr/bin/${program}

[Socket]
ListenStream=${exporterSocket(name)}
SocketUser=haproxy
SocketMode=0600
${socketTail}`;
}

export function renderExporterUnit(name: ExporterName): string {
  const { lines, options, program, user }: Exporter = exporters[name];
  return `[Unit]
Description=${program}, as long as somebody asks for metrics
PartOf=${metricsFrontUnit}
${tryAgain}

[Service]
Type=exec
User=${user}
ExecStart=/usr/bin/${program} --web.systemd-socket --log.level=warn \\
  ${options.join(" \\\n  ")}
${humble}
${hardening}
${lines.join("\n")}
`;
}
