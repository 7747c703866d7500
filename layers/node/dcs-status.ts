import { z } from "zod";
import { nodePorts } from "../domain/cluster/node-ports.ts";
import type { PeerClient } from "./peer-client.ts";

/** etcd's gRPC gateway writes 64-bit numbers as text and leaves out zeros and false. */
const statusSchema = z.object({
  header: z.object({ member_id: z.string() }),
  leader: z.string().default("0"),
  isLearner: z.boolean().default(false),
  dbSize: z.string().regex(/^\d+$/).default("0"),
});
const nobody = "0";
/** An etcd that is well answers within milliseconds. */
export const dcsStatusTimeoutMs = 800;

/** What a member of etcd says of itself. */
export interface DcsStatus {
  readonly memberId: string;
  /** A member that knows no leader has no majority behind it. */
  readonly knowsLeader: boolean;
  readonly isLeader: boolean;
  readonly isLearner: boolean;
  /** Of its backend, which its quota limits. */
  readonly dbBytes: number;
}

/** Rejects when the member does not answer in time, or not as etcd does. */
export async function askDcsStatus(
  client: Pick<PeerClient, "post">,
  address: string,
  timeoutMs = dcsStatusTimeoutMs,
): Promise<DcsStatus> {
  const path = "/v3/maintenance/status";
  const { body } = await client.post(address, nodePorts.etcdClient, path, timeoutMs, {});
  const { header, leader, isLearner, dbSize } = statusSchema.parse(body);
  const memberId = header.member_id;
  return {
    memberId,
    isLearner,
    knowsLeader: leader !== nobody,
    isLeader: leader === memberId,
    dbBytes: Number(dbSize),
  };
}
