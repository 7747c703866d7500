import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { z } from "zod";
import { gatewayAddress } from "../machines/addresses.ts";
import { ensureNetwork } from "../machines/network.ts";
import { runProgram } from "../machines/program.ts";
import { readIfThere, writeAtomically } from "./files.ts";
import { withLock } from "./lock.ts";
import type { EnvironmentPaths } from "./paths.ts";

const portSchema = z.int().min(1).max(65_535);

/** What was chosen once for a state directory and stays. */
const settingsSchema = z.strictObject({
  id: z.string(),
  region: z.string(),
  account: z.string(),
  bridge: z.string(),
  cidr: z.string(),
  ports: z.strictObject({
    api: portSchema,
    aws: portSchema,
    metadata: portSchema,
    dynamoDb: portSchema,
  }),
});
export type EnvironmentSettings = z.infer<typeof settingsSchema>;

/** Benchmarking addresses (RFC 2544): nobody's network, 128 blocks of 1024. */
const firstOctets = "198";
const secondOctets = [18, 19];
const blocksPerOctet = 64;
const addressesPerBlockStep = 4;
const prefixLength = 22;

/** Choosing takes moments; whoever waits longer waits for something stuck. */
const choiceTimeoutMs = 20_000;
const idBytes = 3;

export async function readSettings(paths: EnvironmentPaths): Promise<EnvironmentSettings | null> {
  const text = await readIfThere(paths.settings);
  return text === null ? null : settingsSchema.parse(JSON.parse(text));
}

/** Reads the choices or makes them; the bridge is there when it returns, so that nobody else takes its addresses. */
export async function ensureSettings(paths: EnvironmentPaths): Promise<EnvironmentSettings> {
  await mkdir(paths.state, { recursive: true, mode: 0o700 });
  return withLock(
    "settings",
    {
      timeoutMs: choiceTimeoutMs,
      busy: "another environment of this machine has been choosing its addresses for too long: try again",
    },
    async () => {
      const settings = (await readSettings(paths)) ?? (await choose(paths));
      await ensureNetwork(settings);
      return settings;
    },
  );
}

async function choose(paths: EnvironmentPaths): Promise<EnvironmentSettings> {
  const id = randomBytes(idBytes).toString("hex");
  const [api, aws, metadata, dynamoDb] = await freePorts();
  const settings: EnvironmentSettings = {
    id,
    region: "local-1",
    account: "000000000000",
    bridge: `pgh${id}`,
    cidr: await freeBlock(),
    ports: { api, aws, metadata, dynamoDb },
  };
  await writeAtomically(paths.settings, `${JSON.stringify(settings, null, 2)}\n`, 0o600);
  return settings;
}

/** A block that no interface of this machine has an address in. */
async function freeBlock(): Promise<string> {
  const listed = JSON.parse(await runProgram("ip", ["-json", "-4", "address", "show"])) as {
    addr_info?: { local?: string }[];
  }[];
  const used = new Set(
    listed.flatMap((link) => (link.addr_info ?? []).map((address) => blockOf(address.local ?? ""))),
  );
  const free = secondOctets
    .flatMap((second) =>
      Array.from({ length: blocksPerOctet }, (_, index) => `${second}.${index * addressesPerBlockStep}`),
    )
    .filter((block) => !used.has(block));
  // Not the first one: an environment that is stopped on a rebooted machine has no bridge to show its block.
  const choice = free[randomBytes(1).readUInt8() % Math.max(1, free.length)];
  if (choice === undefined)
    throw new Error(
      "all 128 networks of 198.18.0.0/15 are taken: destroy an environment with npm run destroy",
    );
  return `${firstOctets}.${choice}.0/${prefixLength}`;
}

function blockOf(address: string): string {
  const [, second = "", third = "0"] = address.split(".");
  return `${second}.${Math.floor(Number(third) / addressesPerBlockStep) * addressesPerBlockStep}`;
}

/** Four ports that were free together. */
async function freePorts(): Promise<[number, number, number, number]> {
  const servers = await Promise.all([listen(), listen(), listen(), listen()]);
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
  const [first = 0, second = 0, third = 0, fourth = 0] = ports;
  return [first, second, third, fourth];
}

function listen(): Promise<ReturnType<typeof createServer>> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve(server));
  });
}

/** Where things are, as follows from the choices. */
export function addressesOf(settings: EnvironmentSettings): {
  api: string;
  aws: string;
  dynamoDb: string;
  issuer: string;
} {
  return {
    api: `http://127.0.0.1:${settings.ports.api}`,
    aws: `http://${gatewayAddress(settings.cidr)}:${settings.ports.aws}`,
    dynamoDb: `http://127.0.0.1:${settings.ports.dynamoDb}`,
    issuer: `http://127.0.0.1:${settings.ports.api}/`,
  };
}

/** The audience of the environment's tokens, as the stage's config names it. */
export const tokenAudience: readonly string[] = ["pgherd"];
