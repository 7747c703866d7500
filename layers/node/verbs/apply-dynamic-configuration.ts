import { nodePorts } from "../../domain/cluster/node-ports.ts";
import { dynamicConfigurationPatch } from "../../domain/config/index.ts";
import type { VerbFunction } from "../context.ts";
import { NodeFailure } from "../failure.ts";
import { readOwnIntent } from "../own-intent.ts";
import { readPasswords } from "../passwords.ts";
import { PeerClient } from "../peer-client.ts";

const loopback = "127.0.0.1";
/** Patroni writes into etcd before it answers. */
const writeTimeoutMs = 5_000;
const readTimeoutMs = 2_000;
const succeeded = 200;

/** Every member follows within a loop of Patroni's. */
export const applyDynamicConfiguration: VerbFunction<"apply-dynamic-configuration"> = async (
  input,
  context,
) => {
  const [intent, { patroni: password }] = await Promise.all([
    readOwnIntent(input),
    readPasswords(context, input, ["patroni"]),
  ]);
  using client = await PeerClient.open();
  const current = await client.get(loopback, nodePorts.patroni, "/config", readTimeoutMs);
  const patch = dynamicConfigurationPatch(current.body, intent.spec, input.synchronousNodes);
  if (patch === null) return { changed: [] };
  const login = { username: "patroni", password };
  const answer = await client.patch(loopback, nodePorts.patroni, "/config", writeTimeoutMs, patch, login);
  if (answer.status !== succeeded) {
    throw new NodeFailure(`Patroni answered ${answer.status} to a change of its configuration`, {
      code: "patroni-refused",
    });
  }
  return { changed: Object.keys(patch) };
};
