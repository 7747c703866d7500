import { nodePorts } from "../domain/cluster/node-ports.ts";
import { askDcsStatus } from "./dcs-status.ts";
import { NodeFailure } from "./failure.ts";
import type { PeerClient } from "./peer-client.ts";

type Etcd = Pick<PeerClient, "post">;

/** etcd waits for an election timeout (1 s) until the other member leads. */
const transferTimeoutMs = 5_000;
const succeeded = 200;

interface Voter {
  readonly address: string;
  readonly memberId: string;
  readonly isLeader: boolean;
}

async function askVoter(client: Etcd, address: string): Promise<Voter[]> {
  try {
    const { memberId, isLeader, isLearner } = await askDcsStatus(client, address);
    return isLearner ? [] : [{ address, memberId, isLeader }];
  } catch {
    // It cannot lead.
    return [];
  }
}

/**
 * Has etcd led by a member at an address that is good, if one answers and none such leads already.
 * @returns where etcd's leader is then. @throws {NodeFailure} when etcd has no leader, or keeps it
 */
export async function moveDcsLeader(
  client: Etcd,
  addresses: readonly string[],
  isGood: (address: string) => boolean,
): Promise<{ readonly address: string; readonly moved: boolean }> {
  const voters = (await Promise.all(addresses.map((address) => askVoter(client, address)))).flat();
  const current = voters.find(({ isLeader }) => isLeader);
  if (current === undefined) throw new NodeFailure("etcd has no leader", { code: "no-dcs" });
  const target = isGood(current.address) ? undefined : voters.find(({ address }) => isGood(address));
  if (target === undefined) return { address: current.address, moved: false };
  const path = "/v3/maintenance/transfer-leadership";
  const { status, body } = await client.post(current.address, nodePorts.etcdClient, path, transferTimeoutMs, {
    targetID: target.memberId,
  });
  if (status !== succeeded)
    throw new NodeFailure(`etcd: ${JSON.stringify(body)}`, { code: "dcs-leader-not-moved" });
  return { address: target.address, moved: true };
}
