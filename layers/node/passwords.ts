import type { Login } from "../domain/cluster/logins.ts";
import {
  cipherPassParameter,
  nextPasswordParameter,
  type PasswordName,
  passwordParameter,
} from "../domain/cluster/names.ts";
import type { RepositorySecrets } from "../domain/config/index.ts";
import type { NodeIntent, Repository } from "../domain/node/protocol.ts";
import type { NodeContext } from "./context.ts";
import { NodeFailure } from "./failure.ts";
import { saltOf, scramVerifier } from "./scram.ts";
import { readStoreKeys } from "./store-keys.ts";

export interface ClusterReference {
  readonly environment: string;
  readonly clusterId: string;
}

/** Reads passwords of the cluster; `next`: whose next password is read instead of the present one. */
export async function readPasswords<O extends PasswordName>(
  context: NodeContext,
  cluster: ClusterReference,
  owners: readonly O[],
  next: readonly PasswordName[] = [],
): Promise<Record<O, string>> {
  const names = owners.map((owner) => {
    const nameOf = next.includes(owner) ? nextPasswordParameter : passwordParameter;
    return nameOf(cluster.environment, cluster.clusterId, owner);
  });
  const values = await context.readSecrets(names);
  const passwords: Partial<Record<O, string>> = {};
  owners.forEach((owner, index) => {
    const value = values.get(names[index] ?? "");
    if (value === undefined)
      throw new NodeFailure(`there is no parameter ${names[index]}`, { code: "no-such-secret" });
    passwords[owner] = value;
  });
  return passwords as Record<O, string>;
}

/** What a node's services need, whoever logs in. */
const servicePasswords = ["monitor", "replicator", "rewind", "patroni"] as const;

/** Everything that the files of a node with these logins are made of. */
export type NodePasswords = Readonly<
  Record<(typeof servicePasswords)[number], string> & Partial<Record<Login, string>>
> & {
  /** Of the repository; null where the node has none. */
  readonly repository: RepositorySecrets | null;
  /** Of the repository that the data comes from. */
  readonly source: RepositorySecrets | null;
};

export async function readNodePasswords(
  context: NodeContext,
  intent: ClusterReference & Pick<NodeIntent, "logins" | "backups" | "restore">,
  next: readonly PasswordName[] = [],
): Promise<NodePasswords> {
  const { environment, restore } = intent;
  const [passwords, repository, source] = await Promise.all([
    readPasswords(context, intent, [...intent.logins, ...servicePasswords], next),
    intent.backups === null ? null : readRepositorySecrets(context, intent, intent.backups),
    restore === null
      ? null
      : readRepositorySecrets(
          context,
          { environment, clusterId: restore.source.clusterId },
          restore.repository,
        ),
  ]);
  return { ...passwords, repository, source };
}

async function readRepositorySecrets(
  context: NodeContext,
  cluster: ClusterReference,
  repository: Repository,
): Promise<RepositorySecrets> {
  const [cipherPass, keys] = await Promise.all([
    readCipherPass(context, cluster),
    readStoreKeys(context, repository),
  ]);
  return { cipherPass, keys };
}

/** Every secret in them, by itself. */
export function textsOf({ repository, source, ...passwords }: NodePasswords): string[] {
  const ofRepositories = [repository, source].flatMap((one) =>
    one === null ? [] : [one.cipherPass, one.keys?.secretAccessKey ?? "", one.keys?.sessionToken ?? ""],
  );
  return [...Object.values(passwords), ...ofRepositories].filter((text) => text !== "");
}

export async function readCipherPass(
  context: NodeContext,
  { clusterId, environment }: ClusterReference,
): Promise<string> {
  const name = cipherPassParameter(environment, clusterId);
  const value = (await context.readSecrets([name])).get(name);
  if (value === undefined) throw new NodeFailure(`there is no parameter ${name}`, { code: "no-such-secret" });
  return value;
}

/** Login name → what PostgreSQL keeps of its password. */
export type Verifiers = Readonly<Record<string, string>>;

export async function verifiers(
  clusterId: string,
  passwords: Readonly<Partial<Record<PasswordName, string>>>,
): Promise<Verifiers> {
  const entries = Object.entries(passwords).map(
    async ([name, password]): Promise<[string, string]> => [
      name,
      await scramVerifier(password, saltOf(clusterId, name)),
    ],
  );
  return Object.fromEntries(await Promise.all(entries));
}
