import { randomBytes, randomInt } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { createServer } from "node:net";
import { z } from "zod";
import { gatewayAddress } from "../machines/addresses.ts";
import { ensureNetwork } from "../machines/network.ts";
import { blockOf, freeBlock, usedBlocks } from "./blocks.ts";
import { readIfThere, writeAtomically } from "./files.ts";
import { withLock } from "./lock.ts";
import type { EnvironmentPaths } from "./paths.ts";

const portSchema = z.int().min(1).max(65_535);

const portsSchema = z.strictObject({
  api: portSchema,
  aws: portSchema,
  metadata: portSchema,
  dynamoDb: portSchema,
  foreignStore: portSchema.optional(),
});

/** What was chosen once for a state directory and stays. */
const settingsSchema = z.strictObject({
  id: z.string(),
  region: z.string(),
  account: z.string(),
  bridge: z.string(),
  cidr: z.string(),
  // An environment from before there was a store of somebody else's has the port beside its others for it.
  ports: portsSchema.transform(({ foreignStore, ...ports }) => ({
    ...ports,
    foreignStore: foreignStore ?? ports.dynamoDb + 1,
  })),
});
export type EnvironmentSettings = z.infer<typeof settingsSchema>;

/** Below what Linux gives to outgoing connections: one of those would keep us from listening at the next start. */
const portRange = { from: 20_000, to: 32_000 };
const portCount = 5;
const portAttemptsMax = 100;

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
      await refuseTakenBlock(settings);
      await ensureNetwork(settings);
      return settings;
    },
  );
}

async function choose(paths: EnvironmentPaths): Promise<EnvironmentSettings> {
  const id = randomBytes(idBytes).toString("hex");
  const [api, aws, metadata, dynamoDb, foreignStore] = await freePorts();
  const settings: EnvironmentSettings = {
    id,
    region: "local-1",
    account: "000000000000",
    bridge: `pgh${id}`,
    cidr: await freeBlock(),
    ports: { api, aws, metadata, dynamoDb, foreignStore },
  };
  await writeAtomically(paths.settings, `${JSON.stringify(settings, null, 2)}\n`, 0o600);
  return settings;
}

/** Nodes keep their addresses, so an environment cannot move out of the way of somebody who took its network. */
async function refuseTakenBlock({ cidr, bridge }: EnvironmentSettings): Promise<void> {
  const user = (await usedBlocks()).get(blockOf(cidr));
  if (user !== undefined && user !== bridge)
    throw new Error(
      `the network ${cidr} of this environment is in use by the interface ${user}: take that down, or begin anew with npm run destroy`,
    );
}

/** Ports in a row that nobody listens on. */
async function freePorts(): Promise<[number, number, number, number, number]> {
  for (let attempt = 0; attempt < portAttemptsMax; attempt += 1) {
    const first = randomInt(portRange.from, portRange.to - portCount);
    const ports = [first, first + 1, first + 2, first + 3, first + 4] as const;
    const free = await Promise.all(ports.map(isFree));
    if (free.every(Boolean)) return [...ports];
  }
  throw new Error(`no free ports between ${portRange.from} and ${portRange.to}: stop something that listens`);
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" ? resolve(false) : reject(error),
    );
    server.listen(port, () => server.close(() => resolve(true)));
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
