import { z } from "zod";
import { memberName } from "../cluster/names.ts";
import type { ClusterSpec, FailoverProfile } from "../cluster/spec.ts";
import type { NodeIntent, Peer } from "../node/protocol.ts";
import { dcsPeersFrom } from "./etcd.ts";
import { nodePaths } from "./paths.ts";
import { failoverTiming, leaderKey } from "./patroni.ts";
import { hardening, header, install } from "./units.ts";

export const guardUnit = "pgherd-guard.service";

export const guardSettingsSchema = z.strictObject({
  /** Where in etcd the leader of the shard is written, and how this node is called there. */
  leaderKey: z.string().min(1),
  memberName: z.string().min(1),
  address: z.ipv4(),
  dcs: z.array(z.ipv4()),
  /** What PostgreSQL gets before the leader's key has been seen: when it has just begun to take writes, or the guard. */
  graceMs: z.int().min(1),
  /** Who else could be promoted, and knows whether the cluster is paused. Nobody: there is nothing to guard. */
  neighbours: z.array(z.ipv4()),
});
export type GuardSettings = z.infer<typeof guardSettingsSchema>;

/** Who is promoted has just taken the key, at most one loop ago: a third of what remains is left for stopping. */
const graceShare = 2 / 3;
const msPerSecond = 1_000;

export function guardGraceMs(profile: FailoverProfile): number {
  const { ttl, loop_wait } = failoverTiming[profile];
  return Math.floor((ttl - loop_wait) * graceShare * msPerSecond);
}

/** What the guard of one node goes by. */
export function renderGuard(
  intent: { readonly spec: Pick<ClusterSpec, "failover"> } & Pick<NodeIntent, "clusterId" | "peers">,
  self: Peer,
): string {
  const neighbours = intent.peers.filter(
    (peer) => peer.nodeId !== self.nodeId && peer.shard === self.shard && peer.services.includes("postgres"),
  );
  const settings: GuardSettings = {
    leaderKey: leaderKey(intent.clusterId, self.shard),
    memberName: memberName(self.nodeId),
    address: self.address,
    dcs: dcsPeersFrom(self.nodeId, intent.peers).map(({ address }) => address),
    graceMs: guardGraceMs(intent.spec.failover.profile),
    neighbours: neighbours.map(({ address }) => address),
  };
  return `${JSON.stringify(settings)}\n`;
}

/** The kernel takes everything else first: who stops a PostgreSQL that nobody leads must not be gone. */
const oomScore = -900;
/** Of Node.js itself and a few small answers. */
const heapMiB = 32;

export function renderGuardUnit(): string {
  return `${header("Stops a PostgreSQL that takes writes before the leader's key is another's", ["After=patroni.service"])}

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
# A guard that is started again knows until when the key was sure.
RuntimeDirectoryPreserve=yes
${hardening}
# Root, as only root may ask systemd; of root's rights, to signal PostgreSQL and to read what is Patroni's.
CapabilityBoundingSet=CAP_KILL CAP_DAC_READ_SEARCH

${install}`;
}
