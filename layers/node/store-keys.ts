import { parseStoreKeys, type StoreKeys, storeKeysForm } from "../domain/backup/store.ts";
import type { Repository } from "../domain/node/protocol.ts";
import type { NodeContext } from "./context.ts";
import { NodeFailure } from "./failure.ts";

/** Null: the repository is in the environment's bucket. @throws {NodeFailure} `no-such-secret`, `store-keys-unfit` */
export async function readStoreKeys(
  { readSecrets }: Pick<NodeContext, "readSecrets">,
  { store }: Pick<Repository, "store">,
): Promise<StoreKeys | null> {
  if (store === undefined) return null;
  const { credentialsParameter: name } = store;
  const value = (await readSecrets([name])).get(name);
  if (value === undefined) throw new NodeFailure(`there is no parameter ${name}`, { code: "no-such-secret" });
  const keys = parseStoreKeys(value);
  if (keys === null)
    throw new NodeFailure(`parameter ${name} ${storeKeysForm}`, { code: "store-keys-unfit" });
  return keys;
}
