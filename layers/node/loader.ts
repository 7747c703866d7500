import { createHash } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { wrap } from "node:module";
import { join } from "node:path";
import { Readable } from "node:stream";
import { Script } from "node:vm";
import { nodePaths } from "../domain/config/paths.ts";
import type { NodeAnswer } from "../domain/node/protocol.ts";
import { runCached, runScript } from "./code-cache.ts";

/**
 * /usr/lib/pgherd/run of the node image: what the SSM document starts. It fetches the node program that the command
 * names, if the node does not have it yet, and runs the verb. It knows nothing of the verbs, so it seldom changes.
 */

/** Where AWS is, on machines that do not learn it from instance metadata. */
const endpointFile = "/etc/pgherd/aws.env";
/** The bundle of layers/aws/node-download.ts, as text, which the build puts in. */
declare const downloadProgram: string;

const sha256Pattern = /^[0-9a-f]{64}$/;
const verbPattern = /^[a-z][a-z-]{0,62}$/;

function variable(name: string): string {
  const value = process.env[`SSM_${name}`];
  if (value === undefined) {
    throw new Error(`SSM_${name} is not set: the SSM agent must be 3.3.2746.0 or later`);
  }
  return value;
}

async function readEndpoints(): Promise<void> {
  let lines: string[];
  try {
    lines = (await readFile(endpointFile, "utf8")).split("\n");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return;
    throw error;
  }
  for (const line of lines) {
    const [, name, value] = /^(AWS_[A-Z0-9_]+)=(.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) process.env[name] ??= value;
  }
}

async function readProgram(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

function hasHash(program: Uint8Array, sha256: string): boolean {
  return createHash("sha256").update(program).digest("hex") === sha256;
}

async function store(path: string, program: Uint8Array): Promise<void> {
  await mkdir(nodePaths.programs, { recursive: true, mode: 0o755 });
  const temporary = `${path}.${process.pid}`;
  try {
    const handle = await open(temporary, "wx", 0o644);
    try {
      await handle.writeFile(program);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function download(bucket: string, key: string): Promise<Buffer> {
  const exported = runScript(new Script(wrap(downloadProgram)), process.argv[1] ?? "");
  if (!("downloadObject" in exported) || typeof exported.downloadObject !== "function")
    throw new Error("the loader was built without its download");
  const object: unknown = await exported.downloadObject(bucket, key);
  if (!(object instanceof Uint8Array)) throw new Error(`object ${key} is no file`);
  return Buffer.from(object);
}

/** The program, whose bytes are those that the command named. */
async function ensureProgram(): Promise<{ readonly path: string; readonly program: Buffer }> {
  const sha256 = variable("Program");
  if (!sha256Pattern.test(sha256)) throw new Error("SSM_Program is not a SHA-256");
  const path = join(nodePaths.programs, `${sha256}.cjs`);
  const present = await readProgram(path);
  if (present !== null && hasHash(present, sha256)) return { path, program: present };
  const program = await download(variable("Bucket"), variable("Key"));
  if (!hasHash(program, sha256))
    throw new Error("the node program in the bucket has another hash than the command says");
  await store(path, program);
  return { path, program };
}

/**
 * Runs the program as if it had been started with the verb as its argument and the input on standard input, but in
 * this process: starting Node.js again would be a third of what a short command takes.
 */
async function runProgram(verb: string, input: Buffer): Promise<void> {
  const { path, program } = await ensureProgram();
  process.argv = [process.execPath, path, verb];
  Object.defineProperty(process, "stdin", { value: Readable.from([input]) });
  const { exports, keepCache } = await runCached(path, program.toString());
  if (!("ended" in exports)) throw new Error(`${path} is no node program`);
  await exports.ended;
  await keepCache();
}

async function main(): Promise<void> {
  await readEndpoints();
  // Debian 13's Node.js is version 20; the SDK's complaint about it would be in the output of every command.
  process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] = "true";
  const verb = variable("Verb");
  if (!verbPattern.test(verb)) throw new Error("SSM_Verb is not a verb");
  const input = Buffer.from(variable("Input"), "base64");
  await runProgram(verb, input);
}

main().catch((error: unknown) => {
  const message = error instanceof Error ? error.message : String(error);
  const failed: NodeAnswer = { ok: false, error: { code: "program-unavailable", message } };
  process.stdout.write(`${JSON.stringify(failed)}\n`);
  process.exitCode = 1;
});
