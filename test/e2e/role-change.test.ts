import { type ChildProcess, spawn } from "node:child_process";
import type { Cluster, Operation } from "@pgherd/layers/domain";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Database } from "./support/database.ts";
import {
  calmTransactionsPerSecond,
  Load,
  longestWaitMs,
  type Protocol,
  prepareLoad,
} from "./support/load.ts";
import { listenAt, onMachine, processesAt } from "./support/machines.ts";
import { waitFor } from "./support/wait.ts";
import { api, environment } from "./support/world.ts";

const wholeSeconds = 180;
/** What was promised: however a role change dies, no pooler holds its clients for longer. */
const heldSecondsMax = 5;
/** Twice what a command on a busy machine needs to begin. */
const beginSeconds = 30;
/** A switchover is refused when a transaction has been open for 5 s. */
const openSeconds = 3;
/** Together they last for longer than a switchover on a busy machine needs to begin. */
const openCount = 15;

describe("the leader moves, and clients of the poolers do not notice", () => {
  let cluster: Cluster;
  let database: Database;
  let addresses: string[] = [];

  beforeAll(async () => {
    cluster = await api.demo();
    database = await Database.of(environment, api, cluster.id);
    addresses = cluster.nodes.flatMap(({ address }) => address ?? []);
    await prepareLoad(database);
  });

  afterAll(async () => {
    await database[Symbol.asyncDispose]();
  });

  const startLoad = (protocol: Protocol, through: readonly string[]): Promise<Load> =>
    Load.start(database, { protocol, addresses: through, transactionsPerSecond: calmTransactionsPerSecond });

  const topology = () => api.topology(cluster.id);

  async function leader(): Promise<{ id: string; address: string }> {
    const id = (await topology()).shards[0]?.leader;
    const node = cluster.nodes.find((candidate) => candidate.id === id);
    if (node?.address == null) throw new Error("there is no leader");
    return { id: node.id, address: node.address };
  }

  async function whole(): Promise<void> {
    const calledAt = Date.now();
    await waitFor("three members are well", wholeSeconds, async () => {
      const { observedAt, shards } = await topology();
      const members = shards[0]?.members ?? [];
      const well = members.filter(({ state }) => state === "running" || state === "streaming");
      const synchronous = members.some(({ role }) => role === "sync-standby");
      return well.length === 3 && synchronous && Date.parse(observedAt) > calledAt ? true : undefined;
    });
  }

  const startSwitchover = (): Promise<Operation> =>
    api.begin("POST", `/v1/clusters/${cluster.id}/switchover`, {});

  /** A pooler's clients get on: nobody holds them. */
  const answers = (address: string): Promise<string> => {
    const { port } = database.connection.endpoints.pooled;
    return database.psql(
      `host=${address} port=${port} dbname=app user=client sslmode=verify-full`,
      "SELECT 1",
    );
  };

  /** A pooler that is let go while PostgreSQL moves passes its errors on: whoever is told of one is not held. */
  async function nobodyIsHeld(since: number): Promise<void> {
    const getsOn = (address: string) =>
      waitFor(`clients of ${address} get on`, heldSecondsMax, () => answers(address));
    await Promise.all(addresses.map(getsOn));
    expect((Date.now() - since) / 1000).toBeLessThan(heldSecondsMax);
  }

  /** A client of a pooler that does these one after the other. */
  function client(address: string, statements: readonly string[]): ChildProcess {
    const { port } = database.connection.endpoints.pooled;
    return spawn(
      "psql",
      [
        ...["-X", "-q", ...statements.flatMap((statement) => ["-c", statement])],
        `host=${address} port=${port} dbname=app user=client sslmode=verify-full`,
      ],
      { env: database.clientEnvironment, stdio: "ignore" },
    );
  }

  const ended = (child: ChildProcess): Promise<number | null> =>
    new Promise((resolve) => child.once("close", resolve));

  /**
   * Two clients in turns, so that at every moment a transaction is open for a while yet: a hold waits for it, and can be
   * met in the middle.
   */
  function alwaysInTransaction(address: string): { end(): Promise<void> } & AsyncDisposable {
    const transactions = Array<string>(openCount).fill(`SELECT pg_sleep(${openSeconds})`);
    const clients = [transactions, [`SELECT pg_sleep(${openSeconds / 2})`, ...transactions]].map(
      (statements) => client(address, statements),
    );
    const allEnded = Promise.all(clients.map(ended));
    const end = async (): Promise<void> => {
      for (const one of clients) one.kill();
      await allEnded;
    };
    return { end, [Symbol.asyncDispose]: end };
  }

  /** A hold may last for a second only: whoever looks again and again may miss it. */
  const listenForHold = (address: string) =>
    listenAt(address, "pgbouncer", "PAUSE command issued", beginSeconds);

  test.each(["simple", "prepared"] as const)(
    "a switchover under load, %s protocol: no transaction fails, and the answer says how long clients waited",
    async (protocol) => {
      await whole();
      await using load = await startLoad(protocol, addresses);
      const before = await leader();
      const startedMs = Date.now();
      const operation = await api.operationEnd((await startSwitchover()).id);
      const endedMs = Date.now();
      await whole();
      const report = await load.end();

      expect(operation.error).toBeUndefined();
      expect(operation.state).toBe("succeeded");
      expect((await leader()).id).not.toBe(before.id);
      expect(report.complaints).toEqual([]);
      expect(report.transactions.length).toBeGreaterThan(0);
      const pauseMs = Number(operation.result?.["pauseMs"]);
      expect(pauseMs).toBeGreaterThan(0);
      // Nobody waited for less than the poolers held: the measure measures what it says.
      expect(longestWaitMs(report, startedMs, endedMs)).toBeGreaterThan(0.5 * pauseMs);
    },
  );

  test("a transaction that does not end is not broken: the leader stays, and everybody goes on", async () => {
    await whole();
    const before = await leader();
    const long = ended(client(before.address, ["SELECT pg_sleep(8)"]));
    const startedAt = Date.now();
    const operation = await api.operationEnd((await startSwitchover()).id);
    if (operation.state === "failed") {
      expect(operation.error?.message).toMatch(/did not end within|transaction/);
      expect((await leader()).id).toBe(before.id);
    } else {
      // The operation was patient until it had ended.
      expect(Date.now() - startedAt).toBeGreaterThan(4_000);
    }
    expect(await long).toBe(0);
    await Promise.all(addresses.map(answers));
  });

  test("a conductor that is killed in the middle leaves no pooler held", async () => {
    await whole();
    const { address } = await leader();
    const other = addresses.find((candidate) => candidate !== address) ?? "";
    const hold = await listenForHold(other);
    await using open = alwaysInTransaction(other);
    const operation = await startSwitchover();
    await hold.heard;
    const conductors = (await processesAt(address)).filter(({ argv }) => argv[1] === "/usr/lib/pgherd/run");
    expect(conductors.length).toBeGreaterThan(0);
    for (const { pid } of conductors) process.kill(pid, "SIGKILL");
    await nobodyIsHeld(Date.now());
    await open.end();
    await api.operationEnd(operation.id);
    await whole();
  });

  test.each(["SIGKILL", "SIGSTOP"] as const)(
    "a gate that gets %s in the middle leaves its pooler free",
    async (signal) => {
      await whole();
      const { address } = await leader();
      const other = addresses.find((candidate) => candidate !== address) ?? "";
      const hold = await listenForHold(other);
      await using open = alwaysInTransaction(other);
      const operation = await startSwitchover();
      await hold.heard;
      const gates = (await processesAt(other)).filter(({ argv }) => argv.at(-1) === "gate");
      expect(gates).toHaveLength(1);
      for (const { pid } of gates) process.kill(pid, signal);
      await nobodyIsHeld(Date.now());
      await open.end();
      await api.operationEnd(operation.id);
      await whole();
    },
  );

  test("a leader's machine that is shut down in order hands over first: clients of the other poolers see nothing", async () => {
    await whole();
    const { id, address } = await leader();
    const others = addresses.filter((candidate) => candidate !== address);
    await using load = await startLoad("simple", others);
    await onMachine(address, ["systemctl", "reboot"]).catch(() => "the machine took the command with it");
    await waitFor("another one leads", wholeSeconds, async () => {
      const now = (await topology()).shards[0]?.leader;
      return now !== null && now !== undefined && now !== id ? true : undefined;
    });
    await whole();
    const report = await load.end();

    expect(report.complaints).toEqual([]);
    expect(report.transactions.length).toBeGreaterThan(0);
  });
});
