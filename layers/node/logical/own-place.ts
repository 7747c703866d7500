import { nodePaths } from "../../domain/config/index.ts";
import { type NodeIntent, nodeIntentSchema, type Peer, type Repository } from "../../domain/node/protocol.ts";
import { NodeFailure } from "../failure.ts";
import { readIfPresent } from "../files.ts";

export interface OwnPlace {
  readonly intent: NodeIntent;
  readonly self: Peer;
  readonly repository: Repository;
}

/** What `configure` was told last, as far as backups are concerned. */
export function placeIn(intent: NodeIntent): OwnPlace {
  const self = intent.peers.find((peer) => peer.nodeId === intent.nodeId);
  if (self === undefined || intent.backups === null) {
    throw new NodeFailure("the node was configured without a repository for backups", {
      code: "no-repository",
    });
  }
  return { intent, self, repository: intent.backups };
}

/** For programs that no command with an environment of its own has started. */
export async function ownPlace(): Promise<OwnPlace> {
  const text = await readIfPresent(nodePaths.intent);
  if (text === null)
    throw new NodeFailure("the node has not been configured yet", { code: "not-configured" });
  return placeIn(nodeIntentSchema.parse(JSON.parse(text)));
}
