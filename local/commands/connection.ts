import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { writeAtomically } from "../environment/files.ts";
import type { EnvironmentPaths } from "../environment/paths.ts";
import type { ApiClient } from "./api-client.ts";
import { readParameter } from "./aws-client.ts";

interface Connection {
  readonly caCertificate: string;
  readonly users: Readonly<Record<"admin" | "client", { name: string; passwordParameter: string }>>;
  readonly endpoints: { readonly readWrite: { readonly uri: string } };
}

const ownerOnly = 0o600;

/**
 * A connection string that psql accepts as it stands: certificate and passwords lie in files that only their owner
 * reads, and the string names them.
 */
export async function connectionString(
  paths: EnvironmentPaths,
  api: ApiClient,
  cluster: { readonly id: string },
  user: "admin" | "client",
): Promise<string> {
  const connection = await api.call<Connection>("GET", `/v1/clusters/${cluster.id}/connection`);
  const directory = join(paths.clients, cluster.id);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const certificate = join(directory, "ca.pem");
  const passwords = join(directory, "passfile");
  const lines: string[] = [];
  for (const { name, passwordParameter } of Object.values(connection.users))
    lines.push(`*:*:*:${name}:${await readParameter(paths, passwordParameter)}\n`);
  await writeAtomically(certificate, connection.caCertificate, ownerOnly);
  await writeAtomically(passwords, lines.join(""), ownerOnly);
  const uri = connection.endpoints.readWrite.uri.replace(/^postgresql:\/\/[^@]*@/, `postgresql://${user}@`);
  return `${uri}${uri.includes("?") ? "&" : "?"}sslrootcert=${certificate}&passfile=${passwords}`;
}
