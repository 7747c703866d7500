import type { MachineSpec } from "../../local/machines/driver.ts";
import { binaries, dataDirectory, PeerMachines, type PeerPlace } from "./machines.ts";
import { Peer } from "./peer.ts";

const configuration = "/etc/repmgr.conf";
const postgresUnit = "postgresql-bench.service";
const daemonUnit = "repmgrd-bench.service";

/**
 * repmgr as its documentation sets it up ("Quick start guide", "repmgrd configuration", "Performing a switchover"):
 * asynchronous standbys, repmgrd with `failover=automatic` and otherwise its defaults (a leader that does not answer is
 * asked six times, ten seconds apart), SSH between the nodes for the switchover. Clients find the leader by libpq.
 */
export class RepmgrPeer extends Peer {
  readonly name = "repmgr with repmgrd";

  static async create(place: PeerPlace): Promise<RepmgrPeer> {
    const machines = await PeerMachines.boot(place, 3);
    const peer = new RepmgrPeer(machines, machines.all);
    await peer.#trustEachOther();
    for (const index of machines.all.keys()) await peer.#start(index);
    await peer.becomeWhole();
    return peer;
  }

  async switchOver(): Promise<void> {
    const leader = await this.leader();
    const standby = this.members.find((member) => member !== leader);
    if (standby === undefined) throw new Error("no standby");
    await this.machines.asPostgres(
      standby,
      `repmgr -f ${configuration} standby switchover --siblings-follow`,
    );
  }

  /** What was the leader comes back by the operator's hand: it would lead on, beside the new one. */
  protected override async repair(): Promise<void> {
    const leaders: MachineSpec[] = [];
    const stopped: MachineSpec[] = [];
    for (const member of this.members) {
      const state = await this.machines.sql(member, "SELECT pg_is_in_recovery()").catch(() => "down");
      if (state === "false") leaders.push(member);
      if (state === "down") stopped.push(member);
    }
    const [leader] = leaders;
    if (leader === undefined) throw new Error("repmgr: nobody leads");
    for (const member of stopped) await this.#rejoin(member, leader);
    for (const member of this.members) await this.machines.run(member, `systemctl restart ${daemonUnit}`);
  }

  /** By pg_rewind; where that is not possible, as a clone. */
  async #rejoin(member: MachineSpec, leader: MachineSpec): Promise<void> {
    const address = leader.interface.address;
    const conninfo = `host=${address} user=repmgr dbname=repmgr`;
    const repmgr = (verb: string) => this.machines.asPostgres(member, `repmgr -f ${configuration} ${verb}`);
    try {
      await repmgr(`node rejoin -d '${conninfo}' --force-rewind`);
    } catch (error) {
      if (!String(error).includes("pg_rewind execution failed")) throw error;
      await repmgr(`-h ${address} -U repmgr -d repmgr standby clone --force --fast-checkpoint`);
      await this.machines.run(member, `systemctl restart ${postgresUnit}`);
      await repmgr("standby register --force");
    }
  }

  async #trustEachOther(): Promise<void> {
    const [first, ...others] = this.members;
    if (first === undefined) throw new Error("no machines");
    const folder = "/var/lib/postgresql/.ssh";
    await this.machines.run(
      first,
      `install -d -o postgres -g postgres -m 700 ${folder}; runuser -u postgres -- ssh-keygen -q -t ed25519 -N '' -f ${folder}/id_ed25519`,
    );
    const key = await this.machines.run(first, `cat ${folder}/id_ed25519`);
    const publicKey = await this.machines.run(first, `cat ${folder}/id_ed25519.pub`);
    for (const member of [first, ...others]) {
      await this.machines.write(member, `${folder}/id_ed25519`, `${key}\n`);
      await this.machines.write(member, `${folder}/authorized_keys`, `${publicKey}\n`);
      await this.machines.write(
        member,
        `${folder}/config`,
        "Host *\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n  LogLevel ERROR\n",
      );
      await this.machines.write(
        member,
        "/etc/sudoers.d/postgres",
        `postgres ALL=(root) NOPASSWD: /usr/bin/systemctl * ${postgresUnit}\n`,
      );
      await this.machines.run(
        member,
        `chown -R postgres:postgres ${folder}; chmod 700 ${folder}; chmod 600 ${folder}/*; chmod 440 /etc/sudoers.d/postgres; sed -i /pam_nologin/d /etc/pam.d/sshd; ssh-keygen -A; mkdir -p /run/sshd; systemctl enable --now ssh`,
      );
    }
  }

  async #start(index: number): Promise<void> {
    const machine = this.members[index];
    const [first] = this.members;
    if (machine === undefined || first === undefined) throw new Error(`no machine ${index}`);
    await this.machines.write(machine, configuration, this.#configuration(index));
    await this.machines.write(machine, `/etc/systemd/system/${postgresUnit}`, postgresService);
    await this.machines.write(machine, `/etc/systemd/system/${daemonUnit}`, daemonService);
    if (machine === first) await this.#makePrimary(machine);
    else {
      const source = `-h ${first.interface.address} -U repmgr -d repmgr`;
      await this.machines.asPostgres(
        machine,
        `repmgr ${source} -f ${configuration} standby clone --fast-checkpoint`,
      );
      await this.machines.run(machine, `systemctl daemon-reload; systemctl start ${postgresUnit}`);
      await this.machines.asPostgres(machine, `repmgr -f ${configuration} standby register`);
    }
    await this.machines.run(machine, `systemctl start ${daemonUnit}`);
  }

  async #makePrimary(machine: MachineSpec): Promise<void> {
    await this.machines.asPostgres(machine, `initdb --data-checksums -E UTF8 -D ${dataDirectory}`);
    const rules = ["all", "replication"].map((what) => `host ${what} all ${this.machines.cidr} trust`);
    const settings = [
      "listen_addresses = '*'",
      "shared_preload_libraries = 'repmgr'",
      "wal_log_hints = on",
      // pg_rewind goes back to the last checkpoint that both sides have.
      "wal_keep_size = '512MB'",
    ];
    const append = (file: string, lines: readonly string[]) =>
      this.machines.run(machine, `cat >>${dataDirectory}/${file} <<'END'\n${lines.join("\n")}\nEND`);
    await append("pg_hba.conf", rules);
    await append("postgresql.conf", settings);
    await this.machines.run(machine, `systemctl daemon-reload; systemctl start ${postgresUnit}`);
    await this.machines.asPostgres(machine, "createuser --superuser repmgr");
    await this.machines.asPostgres(machine, "createdb --owner=repmgr repmgr");
    await this.machines.asPostgres(machine, `repmgr -f ${configuration} primary register`);
  }

  #configuration(index: number): string {
    const address = this.members[index]?.interface.address ?? "";
    const control = (verb: string) => `service_${verb}_command='sudo systemctl ${verb} ${postgresUnit}'`;
    return [
      `node_id=${index + 1}`,
      `node_name='n${index}'`,
      `conninfo='host=${address} user=repmgr dbname=repmgr connect_timeout=2'`,
      `data_directory='${dataDirectory}'`,
      `pg_bindir='${binaries}'`,
      "failover=automatic",
      `promote_command='repmgr standby promote -f ${configuration} --log-to-file'`,
      `follow_command='repmgr standby follow -f ${configuration} --log-to-file --upstream-node-id=%n'`,
      ...["start", "stop", "restart", "reload"].map(control),
      "",
    ].join("\n");
  }
}

const postgresService = `[Service]
Type=notify
User=postgres
RuntimeDirectory=postgresql
RuntimeDirectoryPreserve=yes
ExecStart=${binaries}/postgres -D ${dataDirectory}
ExecReload=/bin/kill -HUP $MAINPID
KillMode=mixed
KillSignal=SIGINT
TimeoutSec=infinity
`;

const daemonService = `[Unit]
StartLimitIntervalSec=0
[Service]
User=postgres
Environment=PATH=${binaries}:/usr/bin:/bin
ExecStart=/usr/bin/repmgrd -f ${configuration} --daemonize=false --no-pid-file
Restart=always
RestartSec=1
`;
