import { binaries, dataDirectory, PeerMachines, type PeerPlace } from "./machines.ts";
import { Peer } from "./peer.ts";
import type { WayIn } from "./system.ts";

const configuration = "/etc/patroni/config.yml";
const proxyPort = 5000;

/**
 * Patroni as its documentation starts one off: the sample postgres0.yml (ttl 30, loop_wait 10, retry_timeout 10;
 * replication is asynchronous), etcd beside it, and the sample haproxy.cfg of its repository.
 * Clients come through HAProxy, or find the leader by libpq, as its documentation says of multi-host connections.
 */
export class PatroniPeer extends Peer {
  readonly name = "Patroni with stock settings";

  static async create(place: PeerPlace): Promise<PatroniPeer> {
    const machines = await PeerMachines.boot(place, 3);
    const peer = new PatroniPeer(machines, machines.all);
    await Promise.all(machines.all.map((_, index) => peer.#start(index)));
    await peer.becomeWhole();
    return peer;
  }

  override get ways(): readonly WayIn[] {
    return [
      { name: `sample haproxy.cfg (${proxyPort})`, target: this.through(proxyPort, false) },
      this.direct(),
    ];
  }

  async switchOver(): Promise<void> {
    await this.machines.asPostgres(await this.leader(), `patronictl -c ${configuration} switchover --force`);
  }

  async #start(index: number): Promise<void> {
    const machine = this.members[index];
    if (machine === undefined) throw new Error(`no machine ${index}`);
    await this.machines.write(machine, "/etc/default/etcd", this.#etcd(index));
    await this.machines.write(machine, configuration, this.#patroni(index));
    await this.machines.write(machine, "/etc/haproxy/haproxy.cfg", this.#haproxy());
    await this.machines.run(machine, `chown postgres ${configuration}; chmod 600 ${configuration}`);
    await this.machines.run(machine, "systemctl enable --now etcd && systemctl enable --now patroni haproxy");
  }

  #address(index: number): string {
    return this.members[index]?.interface.address ?? "";
  }

  #etcd(index: number): string {
    const cluster = this.members.map((_, at) => `n${at}=http://${this.#address(at)}:2380`).join(",");
    const address = this.#address(index);
    return [
      `ETCD_NAME=n${index}`,
      `ETCD_INITIAL_CLUSTER=${cluster}`,
      `ETCD_INITIAL_ADVERTISE_PEER_URLS=http://${address}:2380`,
      `ETCD_LISTEN_PEER_URLS=http://${address}:2380`,
      `ETCD_LISTEN_CLIENT_URLS=http://${address}:2379,http://127.0.0.1:2379`,
      `ETCD_ADVERTISE_CLIENT_URLS=http://${address}:2379`,
      "",
    ].join("\n");
  }

  #patroni(index: number): string {
    const address = this.#address(index);
    const hosts = this.members.map((_, at) => `${this.#address(at)}:2379`).join(", ");
    return `scope: batman
name: n${index}
restapi: {listen: "0.0.0.0:8008", connect_address: "${address}:8008"}
etcd3: {hosts: [${hosts}]}
bootstrap:
  dcs:
    ttl: 30
    loop_wait: 10
    retry_timeout: 10
    maximum_lag_on_failover: 1048576
    postgresql: {use_pg_rewind: true, use_slots: true}
  initdb: [{encoding: UTF8}, data-checksums]
postgresql:
  listen: 0.0.0.0:5432
  connect_address: ${address}:5432
  data_dir: ${dataDirectory}
  bin_dir: ${binaries}
  pg_hba: ["local all all trust", "host all all 127.0.0.1/32 trust", "host all all ${this.machines.cidr} trust", "host replication all ${this.machines.cidr} trust"]
  authentication:
    superuser: {username: postgres, password: bench}
    replication: {username: replicator, password: bench}
    rewind: {username: rewind_user, password: bench}
  parameters: {unix_socket_directories: "/var/run/postgresql"}
`;
  }

  /** Patroni's own haproxy.cfg, with these members. */
  #haproxy(): string {
    const servers = this.members.map(
      (machine, index) =>
        `    server n${index} ${machine.interface.address}:5432 maxconn 100 check port 8008`,
    );
    return `global
    maxconn 100
defaults
    log global
    mode tcp
    retries 2
    timeout client 30m
    timeout connect 4s
    timeout server 30m
    timeout check 5s
listen batman
    bind *:${proxyPort}
    option httpchk
    http-check expect status 200
    default-server inter 3s fall 3 rise 2 on-marked-down shutdown-sessions
${servers.join("\n")}
`;
  }
}
