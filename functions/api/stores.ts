import {
  type BackupStore,
  type ClusterSpec,
  Problem,
  storeKeysPath,
  storeProblem,
} from "@pgherd/layers/domain";
import { StoreError } from "@pgherd/layers/ports";
import type { ApiContext } from "./context.ts";

/** Where the store is in a spec. */
export const storePath = "/backup/store";

/**
 * A store of somebody else's is tried before anything is made or written.
 * @param path of the store in the body; null: it is not in there
 * @throws {Problem} what is wrong with it
 */
export async function checkStore(
  { repositories, settings }: Pick<ApiContext, "repositories" | "settings">,
  { backup: { store } }: Pick<ClusterSpec, "backup">,
  path: string | null = storePath,
): Promise<void> {
  if (store === null) return;
  checkOwnParameter(settings.environment, store, path ?? storePath);
  await asProblem(path, () => repositories.probe(store));
}

/** Nodes and the API may read these and no others: a parameter of another environment would never be found. */
function checkOwnParameter(environment: string, { credentialsParameter }: BackupStore, path: string): void {
  const own = `${storeKeysPath(environment)}/`;
  if (credentialsParameter.startsWith(own)) return;
  const errors = [{ path: `${path}/credentialsParameter`, message: `must begin with ${own}` }];
  throw new Problem("invalid-request", "The spec cannot be carried out; errors says where and why.", {
    errors,
  });
}

/** What a store of somebody else's refuses is no failure of ours. */
export async function asProblem<T>(path: string | null, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof StoreError ? storeProblem(error, path) : error;
  }
}
