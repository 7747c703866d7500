import { spawn } from "node:child_process";
import type { EnvironmentPaths } from "../environment/paths.ts";
import type { EnvironmentSettings } from "../environment/settings.ts";
import { ApiClient } from "./api-client.ts";
import { connectionString } from "./connection.ts";
import { UserError } from "./terminal.ts";

/** `npm run psql -- [cluster] [psql options]`: psql as `client`, or as `admin` with `--admin` first. */
export async function psql(
  paths: EnvironmentPaths,
  settings: EnvironmentSettings,
  args: readonly string[],
): Promise<void> {
  const user = args[0] === "--admin" ? "admin" : "client";
  const rest = user === "admin" ? args.slice(1) : args;
  const named = rest[0] !== undefined && !rest[0].startsWith("-") ? rest[0] : null;
  const api = new ApiClient(paths, settings);
  const cluster = named === null ? await onlyCluster(api) : await api.clusterNamed(named);
  const uri = await connectionString(paths, api, cluster, user);
  // First, so that an option of the reader's can name another database.
  const child = spawn("psql", ["-d", uri, ...(named === null ? rest : rest.slice(1))], { stdio: "inherit" });
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}

/** The only cluster, or `demo` where there are several. */
async function onlyCluster(api: ApiClient): Promise<{ id: string }> {
  const clusters = await api.clusters();
  const [first] = clusters;
  if (clusters.length === 1 && first !== undefined) return first;
  const demo = clusters.find((cluster) => cluster.name === "demo");
  if (demo !== undefined) return demo;
  const names = clusters.map((cluster) => cluster.name).join("|");
  throw new UserError(
    clusters.length === 0 ? "there is no cluster yet" : `say which cluster: npm run psql -- ${names}`,
  );
}
