import { dynamicDrift } from "../../layers/domain/config/dynamic-drift.ts";
import { dynamicConfiguration } from "../../layers/domain/config/index.ts";
import type { NodeService } from "../../layers/domain/index.ts";
import type { Assessment, NodeIntent } from "../../layers/domain/node/index.ts";
import type { PaperEtcd } from "./paper-etcd.ts";
import { servicesOf } from "./paper-nodes.ts";
import type { PaperPatroni } from "./paper-patroni.ts";

/** What nodes on paper see of themselves. */

export const inspection = {
  disk: { totalBytes: 1024 ** 3, usedBytes: 64 * 1024 ** 2 },
  wal: { bytes: 0, readyCount: 0, oldestReadySeconds: null, archivedUntil: null },
  connections: { used: 5, max: 94 },
  certificateNotAfter: "2099-01-01T00:00:00Z",
  nowMs: 0,
  patroniVersion: "4.0.7",
  wrapper: false,
};

/** Its services, and where Patroni is configured otherwise than it should be. */
export function stateOf(intent: NodeIntent, stopped: ReadonlySet<NodeService>, patroni: PaperPatroni) {
  const own = servicesOf(intent);
  const services = own.map((name): [string, "active" | "inactive"] => [
    `${name}.service`,
    stopped.has(name) ? "inactive" : "active",
  ]);
  const drift = own.includes("postgres")
    ? dynamicDrift(dynamicConfiguration(intent.spec), patroni.configuration)
    : [];
  return {
    services: Object.fromEntries(services),
    drift: drift.map((path) => ({ path: `patroni:/config/${path}` })),
  };
}

/** How the cluster stands before a role change. */
export function assess(
  { etcd, patroni }: { readonly etcd: PaperEtcd; readonly patroni: PaperPatroni },
  candidate: Assessment["candidate"],
): Assessment {
  const members = patroni.observe().map(({ nodeId, role, state }) => ({
    nodeId: nodeId as Assessment["members"][number]["nodeId"],
    role,
    state,
    timeline: 1,
    replayLagBytes: 0,
    isSynchronous: role === "sync-standby",
    noFailover: false,
  }));
  const mode = patroni.configuration["synchronous_mode"];
  return {
    leader: patroni.leader as Assessment["leader"],
    candidate,
    timeline: 1,
    members,
    synchronousMode: mode === false ? "off" : "on",
    paused: false,
    scheduled: false,
    oldestTransactionSeconds: 0,
    archiveQueueLength: 0,
    dcs: { quorum: etcd.hasQuorum, leader: null },
  };
}
