import { memberName } from "../domain/cluster/names.ts";
import { nodePaths } from "../domain/config/index.ts";
import { type NodeIntent, nodeIntentSchema } from "../domain/node/protocol.ts";
import { NodeFailure } from "./failure.ts";
import { readIfPresent } from "./files.ts";

/** What configure was told last; a command for another node went to the wrong address. */
export async function readOwnIntent(expected: {
  readonly clusterId: string;
  readonly nodeId: string;
}): Promise<NodeIntent> {
  const text = await readIfPresent(nodePaths.intent);
  if (text === null)
    throw new NodeFailure("the node has not been configured yet", { code: "not-configured" });
  const intent = nodeIntentSchema.parse(JSON.parse(text));
  if (intent.clusterId !== expected.clusterId || intent.nodeId !== expected.nodeId) {
    throw new NodeFailure(`this is ${memberName(intent.nodeId)} of ${intent.clusterId}`, {
      code: "wrong-node",
    });
  }
  return intent;
}
