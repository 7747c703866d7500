import type { NodeCommands, NodeVerb } from "../domain/node/protocol.ts";

/** What a verb may need from outside the node. */
export interface NodeContext {
  /** Values of parameters in Parameter Store, by name. @throws when one of them is missing. */
  readonly readSecrets: (names: readonly string[]) => Promise<ReadonlyMap<string, string>>;
}

export type VerbFunction<V extends NodeVerb> = (
  input: NodeCommands[V]["input"],
  context: NodeContext,
) => Promise<NodeCommands[V]["output"]>;
