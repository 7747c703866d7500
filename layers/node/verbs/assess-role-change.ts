import { z } from "zod";
import { nodePorts } from "../../domain/cluster/node-ports.ts";
import { bestCandidate } from "../../domain/cluster/role-change.ts";
import type { NodeIntent, Peer } from "../../domain/node/protocol.ts";
import type { Assessment } from "../../domain/node/role-change-verbs.ts";
import type { VerbFunction } from "../context.ts";
import { observeDcs } from "../dcs.ts";
import { NodeFailure } from "../failure.ts";
import { readOwnIntent } from "../own-intent.ts";
import { readPasswords } from "../passwords.ts";
import { PeerClient } from "../peer-client.ts";
import { Monitor } from "../role-change/monitor.ts";

const loopback = "127.0.0.1";
/** Patroni answers after a look into etcd. */
const patroniTimeoutMs = 2_000;

const memberSchema = z.object({
  name: z.string(),
  role: z.string(),
  state: z.string(),
  timeline: z.int().optional(),
  tags: z.object({ nofailover: z.boolean().optional() }).optional(),
});
const clusterSchema = z.object({
  members: z.array(memberSchema),
  pause: z.boolean().optional(),
  scheduled_switchover: z.unknown().optional(),
});
const configSchema = z.object({
  synchronous_mode: z.union([z.boolean(), z.string()]).optional(),
  synchronous_mode_strict: z.boolean().optional(),
});

/** What only the leader's PostgreSQL knows. */
const leaderSchema = z.object({
  lags: z.record(z.string(), z.number().nullable()),
  oldestTransactionSeconds: z.number(),
  archiveQueueLength: z.int(),
});

const leaderSql = `SELECT json_build_object(
  'lags', (SELECT coalesce(json_object_agg(application_name, greatest(0, pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn))), '{}')
           FROM pg_stat_replication WHERE application_name LIKE 'nod\\_%'),
  'oldestTransactionSeconds', (SELECT coalesce(greatest(0, max(extract(epoch FROM clock_timestamp() - xact_start))), 0)
           FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()),
  'archiveQueueLength', (SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'));`;

type Member = Assessment["members"][number];

function modeOf(config: z.infer<typeof configSchema>): Assessment["synchronousMode"] {
  if (config.synchronous_mode === "quorum") return "quorum";
  if (config.synchronous_mode !== true) return "off";
  return config.synchronous_mode_strict === true ? "strict" : "on";
}

function roleOf(role: string): Member["role"] {
  if (role === "leader") return "leader";
  return role === "sync_standby" || role === "quorum_standby" ? "sync-standby" : "replica";
}

async function askLeader(
  intent: NodeIntent,
  leader: Peer | undefined,
  password: string,
): Promise<z.infer<typeof leaderSchema>> {
  if (leader === undefined) return { lags: {}, oldestTransactionSeconds: 0, archiveQueueLength: 0 };
  await using monitor = await Monitor.open(password);
  const address = leader.nodeId === intent.nodeId ? loopback : leader.address;
  const [row] = await monitor.query(address, leaderSql);
  return leaderSchema.parse(JSON.parse(row ?? ""));
}

async function askPatroni(client: PeerClient, path: string): Promise<unknown> {
  try {
    return (await client.get(loopback, nodePorts.patroni, path, patroniTimeoutMs)).body;
  } catch (error) {
    throw new NodeFailure("Patroni on this node does not answer", { code: "patroni-silent", cause: error });
  }
}

export const assessRoleChange: VerbFunction<"assess-role-change"> = async (input, context) => {
  const intent = await readOwnIntent(input);
  using client = await PeerClient.open();
  const [cluster, config, dcs, passwords] = await Promise.all([
    askPatroni(client, "/cluster").then((body) => clusterSchema.parse(body)),
    askPatroni(client, "/config").then((body) => configSchema.parse(body)),
    observeDcs(client, intent.peers),
    readPasswords(context, intent, ["monitor"]),
  ]);
  const leaderName = cluster.members.find(({ role }) => role === "leader")?.name;
  const leader = intent.peers.find(({ nodeId }) => nodeId === leaderName);
  const known = await askLeader(intent, leader, passwords.monitor);
  const members = cluster.members.map(
    (member): Member => ({
      nodeId: member.name as Member["nodeId"],
      role: roleOf(member.role),
      state: member.state,
      timeline: member.timeline ?? null,
      replayLagBytes: member.role === "leader" ? 0 : (known.lags[member.name] ?? null),
      isSynchronous: roleOf(member.role) === "sync-standby",
      noFailover: member.tags?.nofailover ?? false,
    }),
  );
  const synchronousMode = modeOf(config);
  return {
    leader: leader?.nodeId ?? null,
    candidate: input.candidate ?? bestCandidate(members, synchronousMode),
    timeline: members.find(({ role }) => role === "leader")?.timeline ?? null,
    members,
    synchronousMode,
    paused: cluster.pause ?? false,
    scheduled: cluster.scheduled_switchover !== undefined,
    oldestTransactionSeconds: known.oldestTransactionSeconds,
    archiveQueueLength: known.archiveQueueLength,
    dcs: {
      quorum: dcs.quorum,
      leader: (dcs.members.find((member) => member.leader)?.nodeId as Assessment["leader"]) ?? null,
    },
  };
};
