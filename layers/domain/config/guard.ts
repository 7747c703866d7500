import { z } from "zod";
import type { ClusterSpec, FailoverProfile } from "../cluster/spec.ts";
import type { NodeIntent, Peer } from "../node/protocol.ts";
import { nodePaths } from "./paths.ts";
import { failoverTiming } from "./patroni.ts";
import { hardening, header, install } from "./units.ts";

export const guardUnit = "pgherd-guard.service";

export const guardSettingsSchema = z.strictObject({
  /** Without a sign of life from Patroni for so long, a PostgreSQL that takes writes is stopped. */
  silenceMs: z.int().min(1),
  /** Who could be promoted in the meantime, and knows whether the cluster is paused. */
  neighbours: z.array(z.ipv4()),
});
export type GuardSettings = z.infer<typeof guardSettingsSchema>;

/**
 * The leader's key may have been renewed a whole loop before Patroni's last sign of life. Of what remains of its life a
 * third is left for stopping PostgreSQL; two thirds is what a Patroni that is started again gets to answer.
 */
const silenceShare = 2 / 3;
const msPerSecond = 1_000;

export function guardSilenceMs(profile: FailoverProfile): number {
  const { ttl, loop_wait } = failoverTiming[profile];
  return Math.floor((ttl - loop_wait) * silenceShare * msPerSecond);
}

/** What the guard of one node goes by. */
export function renderGuard(
  intent: { readonly spec: Pick<ClusterSpec, "failover">; readonly peers: NodeIntent["peers"] },
  self: Peer,
): string {
  const neighbours = intent.peers.filter(
    (peer) => peer.nodeId !== self.nodeId && peer.shard === self.shard && peer.services.includes("postgres"),
  );
  const settings: GuardSettings = {
    silenceMs: guardSilenceMs(intent.spec.failover.profile),
    neighbours: neighbours.map(({ address }) => address),
  };
  return `${JSON.stringify(settings)}\n`;
}

/** The kernel takes everything else first: who stops a PostgreSQL that nobody leads must not be gone. */
const oomScore = -900;
/** Of Node.js itself and a few small answers. */
const heapMiB = 32;

export function renderGuardUnit(): string {
  return `${header("Stops a PostgreSQL that takes writes while its Patroni is gone", ["After=patroni.service"])}

[Service]
Type=exec
ExecStart=/usr/bin/node --max-old-space-size=${heapMiB} ${nodePaths.ownProgram} guard
SyslogIdentifier=pgherd-guard
Restart=always
RestartSec=100ms
TimeoutStopSec=2
OOMScoreAdjust=${oomScore}
RuntimeDirectory=pgherd-guard
RuntimeDirectoryMode=0700
# A guard that is started again knows when Patroni was alive.
RuntimeDirectoryPreserve=yes
${hardening}
# Root, as only root may ask systemd; of root's rights, to signal PostgreSQL and to read what is Patroni's.
CapabilityBoundingSet=CAP_KILL CAP_DAC_READ_SEARCH

${install}`;
}
