import type { Login } from "../domain/cluster/logins.ts";
import { nextPasswordParameter, type PasswordName, passwordParameter } from "../domain/cluster/names.ts";
import type { NodeContext } from "./context.ts";
import { NodeFailure } from "./failure.ts";
import { saltOf, scramVerifier } from "./scram.ts";

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
>;

export async function readNodePasswords(
  context: NodeContext,
  intent: ClusterReference & { readonly logins: readonly Login[] },
  next: readonly PasswordName[] = [],
): Promise<NodePasswords> {
  return readPasswords(context, intent, [...intent.logins, ...servicePasswords], next);
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
