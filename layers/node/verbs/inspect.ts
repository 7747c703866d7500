import type { inspectVerbs } from "../../domain/node/inspect-verbs.ts";
import type { VerbFunction } from "../context.ts";
import { inspectSelf, selfOf } from "../inspection.ts";
import { readOwnIntent } from "../own-intent.ts";
import { PeerClient } from "../peer-client.ts";
import { survey } from "./survey.ts";
import { walPosition } from "./wal-position.ts";

const inspectVerb: VerbFunction<"inspect"> = async (input) => {
  const intent = await readOwnIntent(input);
  if (!selfOf(intent).services.includes("postgres")) return inspectSelf(null, intent);
  using client = await PeerClient.open();
  return await inspectSelf(client, intent);
};

export const inspect: { readonly [V in keyof typeof inspectVerbs]: VerbFunction<V> } = {
  inspect: inspectVerb,
  survey,
  "wal-position": walPosition,
};
