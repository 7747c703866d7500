import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { withLock } from "../../environment/lock.ts";

const pom = join(import.meta.dirname, "pom.xml");
/** Pinned like the library: Debian's Maven has a version of its own choice otherwise. */
const copyGoal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
/** 82 files, 48 MB, over a slow line. */
const fetchTimeoutMs = 10 * 60 * 1000;
const unfinished = ".partial";
/** Some three hundred with Maven's own; a line for each would hide the rest. */
const filesPerProgress = 25;
/** What of Maven's complaints is worth repeating. */
const complaintLinesMax = 12;

/**
 * The folder with DynamoDB Local's libraries, fetched from Maven Central at the first call. It gets its name when it
 * is complete, so that being interrupted anywhere leaves nothing that looks finished.
 */
export async function ensureDynamoDbLocal(options: {
  cacheDirectory: string;
  onProgress?: (message: string) => void;
}): Promise<string> {
  const version = await pinnedVersion();
  const directory = join(options.cacheDirectory, `dynamodb-local-${version}`);
  if (existsSync(directory)) return directory;
  await mkdir(options.cacheDirectory, { recursive: true });
  const busy = `another process has been fetching ${directory} for too long: end it, and start again`;
  await withLock(directory, { timeoutMs: fetchTimeoutMs, busy }, async () => {
    if (existsSync(directory)) return;
    await removeUnfinished(options.cacheDirectory);
    const draft = `${directory}${unfinished}`;
    await copyLibraries(draft, options.onProgress ?? (() => undefined));
    await rename(draft, directory);
  });
  return directory;
}

/** What a fetch that was interrupted left. */
async function removeUnfinished(cacheDirectory: string): Promise<void> {
  for (const name of await readdir(cacheDirectory)) {
    if (/^dynamodb-local-.*\.partial/.test(name))
      await rm(join(cacheDirectory, name), { recursive: true, force: true });
  }
}

async function pinnedVersion(): Promise<string> {
  const text = await readFile(pom, "utf8");
  const version = /<artifactId>DynamoDBLocal<\/artifactId>\s*<version>([^<]+)<\/version>/.exec(text)?.[1];
  if (version === undefined) throw new Error(`${pom} names no version of DynamoDBLocal`);
  return version;
}

async function copyLibraries(directory: string, onProgress: (message: string) => void): Promise<void> {
  const child = spawn(
    "setpriv",
    [
      // It ends with us: nobody would use what it fetches.
      ...["--pdeathsig", "KILL", "--", "mvn", "--batch-mode", "--file", pom, copyGoal],
      ...["-DincludeScope=runtime", `-DoutputDirectory=${directory}`],
    ],
    { stdio: ["ignore", "pipe", "ignore"], timeout: fetchTimeoutMs, killSignal: "SIGKILL" },
  );
  const ended = new Promise<number | string | null>((resolve, reject) => {
    child.once("error", (error) => reject(new Error("Maven (mvn) cannot be started", { cause: error })));
    child.once("exit", (code, signal) => resolve(code ?? signal));
  });
  const complaints: string[] = [];
  let files = 0;
  const reading = (async () => {
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.includes("Downloaded from") && ++files % filesPerProgress === 0)
        onProgress(`DynamoDB Local: ${files} files fetched`);
      if (line.includes("ERROR") && complaints.length < complaintLinesMax) complaints.push(line);
    }
  })();
  const outcome = await ended;
  await reading;
  if (outcome !== 0) {
    throw new Error(`Maven could not fetch DynamoDB Local (${outcome}): ${complaints.join("\n")}`);
  }
}
