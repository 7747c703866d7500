import { type databaseUsers, type PasswordOwner, passwordParameter } from "../domain/cluster/names.ts";
import type { NodeContext } from "./context.ts";
import { NodeFailure } from "./failure.ts";
import { saltOf, scramVerifier } from "./scram.ts";

export interface ClusterReference {
  readonly environment: string;
  readonly clusterId: string;
}

/** Reads passwords of the cluster. */
export async function readPasswords<O extends PasswordOwner>(
  context: NodeContext,
  cluster: ClusterReference,
  owners: readonly O[],
): Promise<Record<O, string>> {
  const names = owners.map((owner) => passwordParameter(cluster.environment, cluster.clusterId, owner));
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

/** Login roles that log in as themselves, through PgBouncer too; Patroni makes the other two. */
export const loginUsers = [
  "admin",
  "client",
  "monitor",
] as const satisfies readonly (typeof databaseUsers)[number][];

export async function verifiers(
  clusterId: string,
  passwords: Readonly<Record<(typeof loginUsers)[number], string>>,
): Promise<Record<(typeof loginUsers)[number], string>> {
  const [admin, client, monitor] = await Promise.all(
    loginUsers.map((user) => scramVerifier(passwords[user], saltOf(clusterId, user))),
  );
  return { admin: admin ?? "", client: client ?? "", monitor: monitor ?? "" };
}
