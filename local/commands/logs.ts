import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { EnvironmentPaths } from "../environment/paths.ts";
import { UserError } from "./terminal.ts";

const linesShown = "200";

/** `npm run logs -- [name …] [-f]`: the last lines of the control plane's and the functions' logs. */
export async function logs(paths: EnvironmentPaths, args: readonly string[]): Promise<void> {
  if (!existsSync(paths.logs)) throw new UserError("there are no logs yet: npm start makes them");
  const entries = await readdir(paths.logs, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
  const names = args.filter((arg) => arg !== "-f");
  const unknown = names.find((name) => !files.some((file) => file.includes(name)));
  if (unknown !== undefined) {
    const known = files.map((file) => file.slice(paths.logs.length + 1)).join(", ");
    throw new UserError(`there is no log "${unknown}"; there is: ${known}`);
  }
  const chosen =
    names.length === 0 ? files : files.filter((file) => names.some((name) => file.includes(name)));
  const follow = args.includes("-f") ? ["-F"] : [];
  const child = spawn("tail", ["-n", linesShown, ...follow, ...chosen], { stdio: "inherit" });
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}
