import { X509Certificate } from "node:crypto";
import { statfs } from "node:fs/promises";
import { z } from "zod";
import { nodePorts } from "../domain/cluster/node-ports.ts";
import { dynamicConfiguration, dynamicDrift, nodePaths } from "../domain/config/index.ts";
import type { Inspection } from "../domain/node/inspect-verbs.ts";
import type { NodeIntent, Peer } from "../domain/node/protocol.ts";
import { inspectConnections } from "./connections.ts";
import { NodeFailure } from "./failure.ts";
import type { PeerClient } from "./peer-client.ts";
import { serviceStates } from "./service-states.ts";
import { inspectWal } from "./wal.ts";
import { isWrapped } from "./wrapper-report.ts";
import { changedSince } from "./written-files.ts";

const loopback = "127.0.0.1";
/** Patroni on the node itself answers within milliseconds; while it waits for etcd it may not answer at all. */
const patroniTimeoutMsDefault = 1_000;
/** Not files: what Patroni keeps in the DCS for the whole shard. */
const dynamicPrefix = "patroni:/config/";
/** A whole foreign configuration is told by its first few settings. */
const dynamicDriftMax = 10;

const unitOf = {
  etcd: "etcd.service",
  postgres: "patroni.service",
  haproxy: "haproxy.service",
  pgbouncer: "pgbouncer.service",
} as const;

const noWal: Inspection["wal"] = { bytes: 0, readyCount: 0, oldestReadySeconds: null, archivedUntil: null };

const patroniSchema = z.object({ patroni: z.object({ version: z.string() }) });

interface PatroniSays {
  readonly version: string | null;
  readonly drift: readonly string[];
}

const silent: PatroniSays = { version: null, drift: [] };

export function selfOf(intent: NodeIntent): Peer {
  const self = intent.peers.find((peer) => peer.nodeId === intent.nodeId);
  if (self === undefined)
    throw new NodeFailure(`${intent.nodeId} is not among its own peers`, { code: "not-a-peer" });
  return self;
}

/** As `df` counts: what only root could use is neither used nor there. */
async function disk(): Promise<Inspection["disk"]> {
  const { bsize, blocks, bfree, bavail } = await statfs(nodePaths.data);
  const usedBytes = (blocks - bfree) * bsize;
  return { totalBytes: usedBytes + bavail * bsize, usedBytes };
}

async function askPatroni(client: PeerClient, intent: NodeIntent, timeoutMs: number): Promise<PatroniSays> {
  try {
    const ask = (path: string) => client.get(loopback, nodePorts.patroni, path, timeoutMs);
    const [status, config] = await Promise.all([ask("/patroni"), ask("/config")]);
    const { version } = patroniSchema.parse(status.body).patroni;
    // Before the bootstrap has ended there is no configuration yet.
    const isThere = config.status === 200;
    return { version, drift: isThere ? dynamicDrift(dynamicConfiguration(intent.spec), config.body) : [] };
  } catch {
    // A Patroni that is away is told by its service's state.
    return silent;
  }
}

export async function inspectSelf(
  client: PeerClient | null,
  intent: NodeIntent,
  patroniTimeoutMs = patroniTimeoutMsDefault,
): Promise<Inspection> {
  const self = selfOf(intent);
  const hasPostgres = self.services.includes("postgres");
  const [states, space, wal, connections, patroni, changed] = await Promise.all([
    serviceStates(self.services.map((service) => unitOf[service])),
    disk(),
    hasPostgres ? inspectWal(nodePaths.postgresData) : noWal,
    hasPostgres ? inspectConnections() : null,
    client === null ? silent : askPatroni(client, intent, patroniTimeoutMs),
    changedSince(),
  ]);
  const dynamic = patroni.drift.slice(0, dynamicDriftMax).map((setting) => `${dynamicPrefix}${setting}`);
  return {
    revision: intent.revision ?? null,
    services: Object.fromEntries([...states].map(([unit, { state }]) => [unit, state])),
    disk: space,
    wal,
    connections,
    certificateNotAfter: new Date(new X509Certificate(intent.nodeCertificate).validTo).toISOString(),
    nowMs: Date.now(),
    drift: [...changed, ...dynamic].map((path) => ({ path })),
    patroniVersion: patroni.version,
    wrapper: await isWrapped(),
  };
}
