import { nodePorts } from "../cluster/node-ports.ts";
import { nodePaths } from "./paths.ts";
import { hardening, header, install } from "./units.ts";

/** systemd units of what happens around a change of the leader. */

export const gateSocketUnit = "pgherd-gate.socket";
export const gateUnit = "pgherd-gate.service";
export const handoverUnit = "pgherd-handover.service";

/** A node that goes down gives up its clients and the leader within this; then its services are stopped anyway. */
const handoverSecondsMax = 25;

/** Costs nothing until somebody knocks. */
export function renderGateSocket(): string {
  return `${header("Where a conductor of a role change knocks", [])}

[Socket]
ListenStream=${nodePorts.gate}
NoDelay=yes

[Install]
WantedBy=multi-user.target
`;
}

export function renderGateUnit(): string {
  const resume = [
    `${nodePaths.postgresBin}/psql -X -q`,
    `-h ${nodePaths.poolerSocket} -p ${nodePorts.pooled} -U pgbouncer -d pgbouncer -c RESUME`,
  ].join(" ");
  return `${header("Holds this node's clients while the leader moves", [`Requires=${gateSocketUnit}`])}

[Service]
Type=exec
# PgBouncer lets its own user into its console; HAProxy's socket is open to its group.
User=pgbouncer
SupplementaryGroups=haproxy
ExecStart=/usr/bin/node ${nodePaths.ownProgram} gate
# However the gate ends: nobody stays held.
ExecStopPost=-${resume}
# The gate sets systemd's watchdog as a timer for the time that it holds clients.
NotifyAccess=all
WatchdogSignal=SIGKILL
Restart=no
TimeoutStopSec=2
${hardening}
`;
}

/** Stops before everything that it is ordered after, and they wait for it: what happens when the machine goes down. */
export function renderHandoverUnit(): string {
  const after = ["etcd.service", "patroni.service", "haproxy.service", "pgbouncer.service"].join(" ");
  return `${header("Gives up clients and the leader before the machine goes down", [`After=${after}`])}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
# Where AWS is, on machines that do not learn it from instance metadata.
EnvironmentFile=-/etc/pgherd/aws.env
Environment=AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED=true
ExecStop=-/usr/bin/node ${nodePaths.ownProgram} handover
TimeoutStopSec=${handoverSecondsMax}

${install}`;
}
