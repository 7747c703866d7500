import type { MachineSpec } from "../../local/machines/driver.ts";
import type { WriterTarget } from "../../test/e2e/support/writers.ts";
import { dataDirectory, type PeerMachines } from "./machines.ts";
import type { PeerSystem, WayIn } from "./system.ts";

/** What all peers have in common: three machines with PostgreSQL, no TLS, no passwords. */
export abstract class Peer implements PeerSystem {
  abstract readonly name: string;
  readonly machines: PeerMachines;
  readonly members: readonly MachineSpec[];
  /** A machine that was killed and not booted yet. */
  #lost: MachineSpec | undefined;

  constructor(machines: PeerMachines, members: readonly MachineSpec[]) {
    this.machines = machines;
    this.members = members;
  }

  abstract switchOver(): Promise<void>;

  get ways(): readonly WayIn[] {
    return [this.direct()];
  }

  /** After a machine is up again: what the operator has to do. Most have nothing to do. */
  protected repair(): Promise<void> {
    return Promise.resolve();
  }

  protected direct(): WayIn {
    return { name: "clients with several hosts (5432)", target: this.through(5432, true) };
  }

  protected through(port: number, isDirect: boolean): WriterTarget {
    const hosts = this.members.map((machine) => machine.interface.address);
    const login = { database: "postgres", user: "postgres", password: "", authority: null };
    return { hosts, port, isDirect, ...login };
  }

  leader(): Promise<MachineSpec> {
    return this.machines.whole(this.members);
  }

  async sql(statement: string): Promise<string> {
    return this.machines.sql(await this.leader(), statement);
  }

  async becomeWhole(): Promise<void> {
    if (this.#lost !== undefined) {
      await this.machines.bootAgain(this.#lost);
      this.#lost = undefined;
    }
    await this.repair();
    await this.machines.whole(this.members);
  }

  async killPostgres(): Promise<void> {
    await this.machines.run(await this.leader(), `kill -9 $(head -1 ${dataDirectory}/postmaster.pid)`);
  }

  async loseMachine(): Promise<void> {
    const leader = await this.leader();
    this.#lost = leader;
    await this.machines.kill(leader);
  }
}
