import { existsSync } from "node:fs";
import { writeAtomically } from "../environment/files.ts";
import type { EnvironmentPaths } from "../environment/paths.ts";
import { addressesOf, type EnvironmentSettings, tokenAudience } from "../environment/settings.ts";
import { type TokenRole, Tokens } from "../gateway/tokens.ts";
import { print, UserError } from "./terminal.ts";

const roles: readonly TokenRole[] = ["viewer", "operator", "admin"];
/** A local environment is somebody's own machine; the token file is as good as root. */
const lifetimeSeconds = 365 * 24 * 3600;
const ownerOnly = 0o600;

function openTokens(paths: EnvironmentPaths, settings: EnvironmentSettings): Promise<Tokens> {
  return Tokens.open({
    keyFile: paths.keys.tokens,
    issuer: addressesOf(settings).issuer,
    audience: tokenAudience,
  });
}

/** The administrator's token, made once. */
export async function ensureToken(paths: EnvironmentPaths, settings: EnvironmentSettings): Promise<void> {
  if (existsSync(paths.token)) return;
  const tokens = await openTokens(paths, settings);
  const token = await tokens.issueToken({ subject: "local-admin", role: "admin", lifetimeSeconds });
  await writeAtomically(paths.token, `${token}\n`, ownerOnly);
}

/** `npm run token -- viewer|operator|admin`: prints a token of that role. */
export async function token(
  paths: EnvironmentPaths,
  settings: EnvironmentSettings,
  args: readonly string[],
): Promise<void> {
  const role = roles.find((candidate) => candidate === args[0]);
  if (role === undefined || args.length !== 1)
    throw new UserError(`say which role: npm run token -- ${roles.join("|")}`);
  const tokens = await openTokens(paths, settings);
  print(await tokens.issueToken({ subject: `local-${role}`, role, lifetimeSeconds }));
}
