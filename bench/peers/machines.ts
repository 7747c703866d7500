import type { MachineSpec } from "../../local/machines/driver.ts";
import { waitFor } from "../../test/e2e/support/wait.ts";
import { Lab } from "../../test/machines/support/machines.ts";

/** Third octet of the peers' addresses. */
const addressBlock = 240;
const firstHost = 11;
/** Setting a cluster up clones data and waits for services. */
const scriptTimeoutSeconds = 120;
const outputBytesMax = 256 * 1024;
const settleSeconds = 180;
export const dataDirectory = "/var/lib/postgresql/bench";
export const binaries = "/usr/lib/postgresql/17/bin";

/** Machines with the peers' packages, on a network of their own that lets everything in. */
export class PeerMachines implements AsyncDisposable {
  readonly cidr: string;
  readonly all: readonly MachineSpec[];
  readonly #lab: Lab;

  private constructor(lab: Lab, all: readonly MachineSpec[]) {
    this.#lab = lab;
    this.cidr = lab.cidr;
    this.all = all;
  }

  static async boot(imagePath: string, count: number): Promise<PeerMachines> {
    const lab = await Lab.create(imagePath, addressBlock);
    const all = Array.from({ length: count }, (_, index) => lab.machine(firstHost + index));
    const everything = { protocol: "all", fromPort: 0, toPort: 65_535, cidrs: [lab.cidr] } as const;
    try {
      for (const machine of all) await lab.driver.applyIngress(machine.instanceId, [everything]);
      await Promise.all(all.map((machine) => lab.driver.boot(machine)));
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
    return new PeerMachines(lab, all);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lab[Symbol.asyncDispose]();
  }

  /** What a script as root prints; rejects with its complaint. */
  async run(machine: MachineSpec, script: string): Promise<string> {
    const result = await this.#lab.driver.execute(machine.instanceId, {
      argv: ["/bin/sh", "-ec", script],
      environment: {},
      timeoutSeconds: scriptTimeoutSeconds,
      outputBytesMax,
    });
    if (result.exitCode !== 0) {
      throw new Error(
        `on ${machine.hostname}: ${script}\nended with ${result.exitCode}: ${result.stderr}${result.stdout}`,
      );
    }
    return result.stdout.trim();
  }

  /** As the user that PostgreSQL runs as. */
  asPostgres(machine: MachineSpec, command: string): Promise<string> {
    const environment = `env HOME=/var/lib/postgresql PATH=${binaries}:/usr/bin:/bin`;
    return this.run(machine, `cd /tmp; runuser -u postgres -- ${environment} ${command}`);
  }

  async write(machine: MachineSpec, path: string, content: string): Promise<void> {
    const result = await this.#lab.driver.execute(machine.instanceId, {
      argv: ["/bin/sh", "-ec", `mkdir -p "$(dirname "$1")" && cat >"$1"`, "write", path],
      environment: {},
      stdin: content,
      timeoutSeconds: scriptTimeoutSeconds,
      outputBytesMax,
    });
    if (result.exitCode !== 0) throw new Error(`${path} on ${machine.hostname}: ${result.stderr}`);
  }

  async kill(machine: MachineSpec): Promise<void> {
    await this.#lab.driver.kill(machine.instanceId);
  }

  async bootAgain(machine: MachineSpec): Promise<void> {
    await this.#lab.driver.boot(machine);
  }

  sql(machine: MachineSpec, statement: string, database = "postgres"): Promise<string> {
    return this.asPostgres(
      machine,
      `timeout 5 psql -XAtq -h ${machine.interface.address} -U postgres -d ${database} -c "${statement}"`,
    );
  }

  /** The one of `members` that takes writes and whose standbys all stream; waits for it. */
  whole(members: readonly MachineSpec[]): Promise<MachineSpec> {
    return waitFor("the peer's cluster is whole", settleSeconds, async () => {
      for (const member of members) {
        const state = await this.sql(
          member,
          "SELECT pg_is_in_recovery(), (SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming')",
        ).catch(String);
        if (state === `f|${members.length - 1}`) return member;
      }
      return undefined;
    });
  }
}
