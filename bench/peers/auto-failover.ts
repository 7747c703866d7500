import type { MachineSpec } from "../../local/machines/driver.ts";
import { binaries, dataDirectory, PeerMachines, type PeerPlace } from "./machines.ts";
import { Peer } from "./peer.ts";

const monitorDirectory = "/var/lib/postgresql/monitor";
const unit = "pgautofailover-bench.service";

/**
 * pg_auto_failover as its tutorial sets it up, with its defaults: a monitor on a machine of its own, three nodes, one of
 * them synchronous (`number_sync_standbys` 1 of itself with three), `pg_autoctl run` under systemd as `pg_autoctl show
 * systemd` prints it. Clients find the leader by libpq, with the several hosts that `pg_autoctl show uri` prints.
 * A lost machine is noticed after 20 s and given 30 s more to demote itself: both are defaults.
 */
export class AutoFailoverPeer extends Peer {
  readonly name = "pg_auto_failover";
  readonly #monitor: MachineSpec;

  private constructor(machines: PeerMachines, members: readonly MachineSpec[], monitor: MachineSpec) {
    super(machines, members);
    this.#monitor = monitor;
  }

  static async create(place: PeerPlace): Promise<AutoFailoverPeer> {
    const machines = await PeerMachines.boot(place, 4);
    const [monitor, ...members] = machines.all;
    if (monitor === undefined) throw new Error("no machines");
    const peer = new AutoFailoverPeer(machines, members, monitor);
    await peer.#start();
    await peer.becomeWhole();
    return peer;
  }

  async switchOver(): Promise<void> {
    await this.machines.asPostgres(
      this.#monitor,
      `pg_autoctl perform switchover --pgdata ${monitorDirectory}`,
    );
  }

  async #start(): Promise<void> {
    const address = this.#monitor.interface.address;
    const common = "--auth trust --no-ssl --pgport 5432";
    await this.machines.asPostgres(
      this.#monitor,
      `pg_autoctl create monitor ${common} --pgdata ${monitorDirectory} --hostname ${address}`,
    );
    await this.#letClientsIn(this.#monitor, monitorDirectory);
    await this.#keepRunning(this.#monitor, monitorDirectory);
    for (const [index, member] of this.members.entries()) {
      const own = member.interface.address;
      await this.machines.asPostgres(
        member,
        `pg_autoctl create postgres ${common} --pgdata ${dataDirectory} --hostname ${own} --name n${index} --monitor postgres://autoctl_node@${address}:5432/pg_auto_failover`,
      );
      await this.#letClientsIn(member, dataDirectory);
      await this.#keepRunning(member, dataDirectory);
    }
  }

  async #letClientsIn(machine: MachineSpec, directory: string): Promise<void> {
    const rules = ["all", "replication"].map((what) => `host ${what} all ${this.machines.cidr} trust`);
    await this.machines.run(machine, `printf '%s\\n' '${rules.join("' '")}' >>${directory}/pg_hba.conf`);
  }

  async #keepRunning(machine: MachineSpec, directory: string): Promise<void> {
    await this.machines.write(
      machine,
      `/etc/systemd/system/${unit}`,
      `[Unit]
After=network.target
StartLimitIntervalSec=0
[Service]
User=postgres
Environment=HOME=/var/lib/postgresql
Environment=PATH=${binaries}:/usr/bin:/bin
WorkingDirectory=/var/lib/postgresql
ExecStart=/usr/bin/pg_autoctl run --pgdata ${directory}
Restart=always
[Install]
WantedBy=multi-user.target
`,
    );
    await this.machines.run(machine, `systemctl enable --now ${unit}; sleep 2; ${reload(directory)}`);
  }
}

/** PostgreSQL may just be starting, and reads the file then. */
function reload(directory: string): string {
  return `runuser -u postgres -- ${binaries}/pg_ctl reload -s -D ${directory} || true`;
}
