import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { writeAtomically } from "../environment/files.ts";
import type { EnvironmentPaths } from "../environment/paths.ts";
import { ProgramError, runProgram } from "../machines/program.ts";
import type { ApiClient } from "./api-client.ts";
import { readParameter } from "./aws-client.ts";
import { progress, UserError } from "./terminal.ts";

interface Connection {
  readonly caCertificate: string;
  readonly users: Readonly<Record<"admin" | "client", { name: string; passwordParameter: string }>>;
  readonly endpoints: { readonly readWrite: { readonly uri: string } };
}

const ownerOnly = 0o600;
/** Machines that were down boot, elect a leader and recover their databases in some ten seconds. */
const connectionsTimeoutMs = 90_000;
const pollMs = 500;
/** psql tries every host in turn. */
const psqlTimeoutMs = 20_000;

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
  const uri = connection.endpoints.readWrite.uri.replace(
    /^postgresql:\/\/[^@]*@/,
    `postgresql://${connection.users[user].name}@`,
  );
  return `${uri}${uri.includes("?") ? "&" : "?"}sslrootcert=${inUri(certificate)}&passfile=${inUri(passwords)}`;
}

/** A path as libpq and a shell's single quotes take it in a URI. */
function inUri(path: string): string {
  return encodeURIComponent(path).replaceAll("%2F", "/").replaceAll("'", "%27");
}

/**
 * The cluster's connection string, once psql has been answered with it.
 * @throws {UserError} with psql's words when nobody answers in time.
 */
export async function awaitConnections(
  paths: EnvironmentPaths,
  api: ApiClient,
  cluster: { readonly id: string; readonly name: string },
): Promise<string> {
  const uri = await connectionString(paths, api, cluster, "client");
  const deadline = Date.now() + connectionsTimeoutMs;
  for (let attempt = 1; ; attempt += 1) {
    try {
      await runProgram("psql", ["-X", "-q", "-c", "SELECT 1", uri], { timeoutMs: psqlTimeoutMs });
      return uri;
    } catch (error) {
      if (!(error instanceof ProgramError)) throw error;
      if (Date.now() > deadline)
        throw new UserError(
          `the cluster ${cluster.name} takes no connections; npm run status and npm run logs say more (${error.message})`,
          { cause: error },
        );
    }
    if (attempt === 1) progress(`waiting until the cluster ${cluster.name} takes connections`);
    await delay(pollMs);
  }
}
