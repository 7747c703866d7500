import type { NodeCommands, NodeVerb, Repository } from "../domain/node/protocol.ts";

/** A bucket, as the node may use it: with its instance role, or with the keys of the store that it is in. */
export interface Objects {
  put(key: string, bytes: Uint8Array): Promise<void>;
  /** Writes an object that must not be there yet. @returns false where there is one */
  putNew(key: string, bytes: Uint8Array): Promise<boolean>;
  /** The object or a part of it; null where there is none. */
  get(key: string, part?: { readonly offset: number; readonly bytes: number }): Promise<Buffer | null>;
  /** Keys below the prefix. */
  list(prefix: string): AsyncIterable<readonly string[]>;
  /** Gone already is success. */
  remove(keys: readonly string[]): Promise<void>;
  [Symbol.dispose](): void;
}

/** What a verb may need from outside the node. */
export interface NodeContext {
  /** Values of parameters in Parameter Store, by name. @throws when one of them is missing. */
  readonly readSecrets: (names: readonly string[]) => Promise<ReadonlyMap<string, string>>;
  readonly openObjects: (place: Omit<Repository, "prefix">) => Promise<Objects>;
}

export type VerbFunction<V extends NodeVerb> = (
  input: NodeCommands[V]["input"],
  context: NodeContext,
) => Promise<NodeCommands[V]["output"]>;
