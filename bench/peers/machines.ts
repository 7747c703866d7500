import { Client } from "pg";
import type { MachineSpec } from "../../local/machines/driver.ts";
import { waitFor } from "../../test/e2e/support/wait.ts";
import { Lab } from "../../test/machines/support/machines.ts";

const firstHost = 11;
/** Setting a cluster up clones data and waits for services. */
const scriptTimeoutSeconds = 120;
const outputBytesMax = 256 * 1024;
const statementTimeoutMs = 5_000;
const settleSeconds = 90;
export const dataDirectory = "/var/lib/postgresql/bench";
export const binaries = "/usr/lib/postgresql/17/bin";

/** Where a peer's machines come from, and who removes them. */
export interface PeerPlace {
  readonly imagePath: string;
  readonly stack: AsyncDisposableStack;
}

/** Machines with the peers' packages, on a network of their own that lets everything in. */
export class PeerMachines {
  readonly cidr: string;
  readonly all: readonly MachineSpec[];
  readonly #lab: Lab;

  private constructor(lab: Lab, all: readonly MachineSpec[]) {
    this.#lab = lab;
    this.cidr = lab.cidr;
    this.all = all;
  }

  static async boot(place: PeerPlace, count: number): Promise<PeerMachines> {
    const lab = place.stack.use(await Lab.create(place.imagePath));
    const all = Array.from({ length: count }, (_, index) => lab.machine(firstHost + index));
    const everything = { protocol: "all", fromPort: 0, toPort: 65_535, cidrs: [lab.cidr] } as const;
    for (const machine of all) await lab.driver.applyIngress(machine.instanceId, [everything]);
    await Promise.all(all.map((machine) => lab.driver.boot(machine)));
    return new PeerMachines(lab, all);
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

  /** What one statement answers at this very machine: rows as psql prints them unaligned. */
  async sql(machine: MachineSpec, statement: string): Promise<string> {
    const client = new Client({
      host: machine.interface.address,
      user: "postgres",
      database: "postgres",
      connectionTimeoutMillis: statementTimeoutMs,
      query_timeout: statementTimeoutMs,
    });
    client.on("error", () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<unknown[]>({ text: statement, rowMode: "array" });
      return rows.map((row) => row.join("|")).join("\n");
    } finally {
      // A machine that was killed answers no goodbye.
      void client.end().catch(() => undefined);
    }
  }

  /** The one of `members` that takes writes and whose standbys all stream; waits for it. */
  whole(members: readonly MachineSpec[]): Promise<MachineSpec> {
    return waitFor("the peer's cluster is whole", settleSeconds, async () => {
      const seen: string[] = [];
      for (const member of members) {
        const state = await this.sql(
          member,
          "SELECT pg_is_in_recovery(), (SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming')",
        ).catch(String);
        if (state === `false|${members.length - 1}`) return member;
        seen.push(`${member.hostname}: ${state}`);
      }
      throw new Error(seen.join("; "));
    });
  }
}
