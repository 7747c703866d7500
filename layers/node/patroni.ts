import { z } from "zod";
import { nodePorts } from "../domain/cluster/node-ports.ts";
import type { Observation } from "../domain/node/protocol.ts";
import type { PeerClient } from "./peer-client.ts";

/** Patroni answers after a look into etcd, and who asks has another member to ask. */
const clusterTimeoutMs = 3_000;

const memberSchema = z.object({
  name: z.string(),
  role: z.string(),
  state: z.string(),
  timeline: z.int().optional(),
  lag: z.union([z.int(), z.string()]).optional(),
  pending_restart: z.boolean().optional(),
  pending_restart_reason: z
    .record(z.string(), z.object({ old_value: z.string(), new_value: z.string() }))
    .optional(),
});
const clusterSchema = z.object({ members: z.array(memberSchema) });

type ObservedMember = Observation["members"][number];

function roleOf(role: string): ObservedMember["role"] {
  if (role === "leader") return "leader";
  return role === "sync_standby" || role === "quorum_standby" ? "sync-standby" : "replica";
}

function waiting(
  reason: Readonly<Record<string, { readonly old_value: string; readonly new_value: string }>>,
): NonNullable<ObservedMember["waiting"]> {
  return Object.entries(reason).map(([name, { old_value, new_value }]) => ({
    name,
    from: old_value,
    to: new_value,
  }));
}

/** The shard as the Patroni at `address` sees it. */
export async function observeMembers(
  client: Pick<PeerClient, "get">,
  address: string,
): Promise<ObservedMember[]> {
  const answer = await client.get(address, nodePorts.patroni, "/cluster", clusterTimeoutMs);
  return clusterSchema.parse(answer.body).members.map((member) => ({
    nodeId: member.name,
    role: roleOf(member.role),
    state: member.state,
    timeline: member.timeline ?? null,
    lagBytes: typeof member.lag === "number" ? member.lag : null,
    pendingRestart: member.pending_restart ?? false,
    ...(member.pending_restart_reason === undefined
      ? {}
      : { waiting: waiting(member.pending_restart_reason) }),
  }));
}
