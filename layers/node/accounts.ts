import { readFile } from "node:fs/promises";
import { NodeFailure } from "./failure.ts";
import { run } from "./process.ts";

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

async function find(name: string): Promise<Account | undefined> {
  const lines = (await readFile("/etc/passwd", "utf8")).split("\n");
  const fields = lines.find((line) => line.startsWith(`${name}:`))?.split(":");
  return fields === undefined ? undefined : { uid: Number(fields[2]), gid: Number(fields[3]) };
}

/** System users of services; what the image lacks is made. */
export async function ensureAccount(name: string): Promise<Account> {
  const known = await find(name);
  if (known !== undefined) return known;
  const options = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"];
  await run("useradd", [...options, name]);
  return account(name);
}

export async function account(name: string): Promise<Account> {
  const known = await find(name);
  if (known === undefined) throw new NodeFailure(`the node has no user ${name}`, { code: "no-such-user" });
  return known;
}
