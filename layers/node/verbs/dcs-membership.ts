import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { nodePaths } from "../../domain/config/index.ts";
import type { VerbFunction } from "../context.ts";
import { addDcsLearner, listDcsMembers, promoteDcsLearner, removeDcsMember } from "../dcs-members.ts";
import { Deadline } from "../deadline.ts";
import { NodeFailure } from "../failure.ts";
import { readOwnIntent } from "../own-intent.ts";
import { PeerClient } from "../peer-client.ts";
import { disable } from "../systemd.ts";

/** A learner takes a few hundred kilobytes over from the leader. */
const pollMs = 250;
const unit = "etcd.service";

export const addLearner: VerbFunction<"add-dcs-learner"> = async (input) => {
  const intent = await readOwnIntent(input);
  using client = await PeerClient.open();
  return { memberId: await addDcsLearner(client, intent, input.address) };
};

export const promoteLearner: VerbFunction<"promote-dcs-learner"> = async (input) => {
  const intent = await readOwnIntent(input);
  using client = await PeerClient.open();
  let why = "";
  await new Deadline(input.timeoutSeconds * 1000).until(
    async () => {
      const obstacle = await promoteDcsLearner(client, intent, input.memberId);
      why = obstacle ?? "";
      return obstacle === null ? true : null;
    },
    () => new NodeFailure(why, { code: "learner-behind" }),
    pollMs,
  );
  return {};
};

export const removeMember: VerbFunction<"remove-dcs-member"> = async (input) => {
  const intent = await readOwnIntent(input);
  using client = await PeerClient.open();
  await removeDcsMember(client, intent, input.memberId);
  return {};
};

/** The directory itself stays: it is etcd's, and the next member begins in it. */
export const forgetDcs: VerbFunction<"forget-dcs"> = async () => {
  await disable(unit);
  for (const name of await readdir(nodePaths.etcdData)) {
    await rm(join(nodePaths.etcdData, name), { recursive: true, force: true });
  }
  return {};
};

export const awaitDcsMember: VerbFunction<"await-dcs"> = async (input) => {
  const intent = await readOwnIntent(input);
  const address = intent.peers.find((peer) => peer.nodeId === input.member)?.address ?? null;
  using client = await PeerClient.open();
  let last = "no member answers";
  await new Deadline(input.timeoutSeconds * 1000).until(
    async () => {
      try {
        const { hasQuorum, members } = await listDcsMembers(client, intent);
        if (!hasQuorum) last = "there is no majority";
        else if (address === null) return true;
        else if (members.some((member) => member.address === address && member.isHealthy)) return true;
        else last = `${input.member} is not healthy`;
      } catch (error) {
        if (!(error instanceof NodeFailure)) throw error;
        last = error.message;
      }
      return null;
    },
    () => new NodeFailure(`etcd: ${last}`, { code: "no-dcs" }),
    pollMs,
  );
  return {};
};
