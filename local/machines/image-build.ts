import { spawn } from "node:child_process";
import { createWriteStream, existsSync, type WriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { ProgramError, runProgram } from "./program.ts";

export interface BuildProgress {
  /** What is happening, as people would say it. */
  readonly phase: string;
  readonly percent: number;
}

export interface BuildOptions {
  readonly images: string;
  /** Directory in `images` that the build makes. */
  readonly name: string;
  readonly recipeDirectory: string;
  readonly onProgress?: (progress: BuildProgress) => void;
  readonly signal?: AbortSignal;
}

const suite = "trixie";
const scripts = "/usr/share/debootstrap/scripts";
/** Names a mirror of the Debian archive other than the one that debootstrap would take. */
const mirrorVariable = "PGHERD_DEBIAN_MIRROR";
/** flock's answer when somebody else holds the lock. */
const lockedExitCode = 75;
/** Lines of the log that an error repeats. */
const logLinesMax = 12;

const buildScript = fileURLToPath(new URL("image-build.sh", import.meta.url));

/** Builds the base layer, once at a time on this machine. Nothing of it outlives this process when that is killed. */
export async function buildBase(options: BuildOptions): Promise<void> {
  const report = options.onProgress ?? (() => undefined);
  report({ phase: "preparing the node image", percent: 0 });
  const source = await debootstrapSource();
  let outcome = await runBuild(options, source, ["--nonblock"]);
  if (outcome.exitCode === lockedExitCode) {
    report({ phase: "waiting for another environment that builds the same image", percent: 0 });
    outcome = await runBuild(options, source, []);
  }
  if (outcome.exitCode !== 0 || !existsSync(join(options.images, options.name))) {
    throw new Error(buildFailure(outcome, logPath(options)), { cause: outcome.error });
  }
  report({ phase: "the node image is ready", percent: 100 });
}

interface Outcome {
  readonly exitCode: number | null;
  readonly phase: string;
  readonly lastLines: readonly string[];
  readonly error?: Error;
}

function runBuild(
  options: BuildOptions,
  source: readonly string[],
  lock: readonly string[],
): Promise<Outcome> {
  const { images, name, recipeDirectory } = options;
  return buildProxy().then(
    (proxy) =>
      new Promise((resolve) => {
        const child = spawn(
          "setpriv",
          [
            // The chain lives and dies together: with us, with the lock, with its mounts.
            ...["--pdeathsig", "KILL"],
            ...["flock", "--no-fork", "--conflict-exit-code", String(lockedExitCode), ...lock],
            ...[
              join(images, "lock"),
              "unshare",
              "--mount",
              "--propagation",
              "private",
              "--pid",
              "--mount-proc",
            ],
            ...["--fork", "--kill-child=KILL", "/bin/sh", buildScript],
            ...[recipeDirectory, images, name, suite, ...source],
          ],
          {
            stdio: ["ignore", "pipe", "pipe"],
            env: { ...process.env, ...proxy, LC_ALL: "C.UTF-8" },
            ...(options.signal === undefined ? {} : { signal: options.signal }),
          },
        );
        const log = createWriteStream(logPath(options), { mode: 0o644 });
        const meter = new BuildMeter(options.onProgress ?? (() => undefined), log);
        createInterface({ input: child.stdout }).on("line", (line) => meter.take(line));
        createInterface({ input: child.stderr }).on("line", (line) => meter.take(line));
        let failure: Error | undefined;
        child.once("error", (error) => {
          failure = error;
          if (child.pid === undefined) resolve({ exitCode: null, ...meter.state(), error });
        });
        child.once("close", (exitCode) => {
          log.end();
          resolve({ exitCode, ...meter.state(), ...(failure === undefined ? {} : { error: failure }) });
        });
      }),
  );
}

/** Lines of debootstrap and apt between two progress marks, so that the percentage moves in between. */
const countedLine =
  /^(I: (Retrieving|Validating|Extracting|Unpacking|Configuring) |Get:|Unpacking |Setting up )/;
const countedLinesTotal = { base: 440, packages: 400 };
const phaseEnds = { base: { from: 1, to: 45 }, packages: { from: 50, to: 94 } };

/** Reads the build's output: marks of the script, and lines to count in between. */
class BuildMeter {
  readonly #report: (progress: BuildProgress) => void;
  readonly #log: WriteStream;
  readonly #lastLines: string[] = [];
  #phase = "preparing the node image";
  #percent = 0;
  #counted = 0;

  constructor(report: (progress: BuildProgress) => void, log: WriteStream) {
    this.#report = report;
    this.#log = log;
  }

  take(line: string): void {
    this.#log.write(`${line}\n`);
    const mark = /^@ (\d+) (.*)$/.exec(line);
    if (mark !== null) {
      this.#phase = mark[2] ?? "";
      this.#counted = 0;
      this.#move(Number(mark[1]));
      return;
    }
    this.#lastLines.push(line);
    if (this.#lastLines.length > logLinesMax) this.#lastLines.shift();
    if (countedLine.test(line)) this.#count();
  }

  state(): Pick<Outcome, "phase" | "lastLines"> {
    return { phase: this.#phase, lastLines: this.#lastLines };
  }

  #count(): void {
    this.#counted += 1;
    const kind = this.#percent < phaseEnds.base.to ? "base" : "packages";
    const { from, to } = phaseEnds[kind];
    const share = Math.min(1, this.#counted / countedLinesTotal[kind]);
    // The next mark moves it past the end; until then it stays below.
    this.#move(Math.max(this.#percent, Math.min(to - 1, Math.floor(from + share * (to - from)))));
  }

  #move(percent: number): void {
    if (percent === this.#percent) return;
    this.#percent = percent;
    this.#report({ phase: this.#phase, percent });
  }
}

function buildFailure(outcome: Outcome, log: string): string {
  const last = outcome.lastLines.join("\n");
  const missing = (outcome.error as NodeJS.ErrnoException | undefined)?.code === "ENOENT";
  if (missing || /debootstrap: (command )?not found/.test(last)) {
    return "debootstrap or util-linux is not installed. Install the packages of local/machines/system-packages.txt and start again.";
  }
  if (/signature|keyring|NO_PUBKEY/i.test(last)) {
    return `The Debian archive's signature could not be checked: install a current debian-archive-keyring and start again.\n${last}`;
  }
  return `Building the node image failed while ${outcome.phase}. Check that this machine reaches a Debian mirror (${mirrorVariable} names another one) and start again; the whole log is ${log}.\n${last}`;
}

function logPath(options: BuildOptions): string {
  return join(options.images, "build.log");
}

/** Arguments after the suite: a mirror where we know a better one than debootstrap, its script where it has none. */
async function debootstrapSource(): Promise<string[]> {
  const mirror = process.env[mirrorVariable] ?? (await hostMirror());
  if (mirror === undefined) return [];
  return existsSync(join(scripts, suite)) ? [mirror] : [mirror, join(scripts, "sid")];
}

/** A Debian host reaches its own mirror. */
async function hostMirror(): Promise<string | undefined> {
  const release = await readFile("/etc/os-release", "utf8");
  if (!/^ID=debian$/m.test(release)) return undefined;
  const filters = ["Created-By: Packages", "Origin: Debian", "Label: Debian"];
  const listed = await answerOf("apt-get", ["indextargets", "--format", "$(REPO_URI)", ...filters]);
  return listed
    .split("\n")
    .map((line) => line.replace(/\/$/, ""))
    .find((line) => /^https?:\/\//.test(line));
}

/** Whatever proxy the host's apt goes through, debootstrap has to as well. */
async function buildProxy(): Promise<Record<string, string>> {
  if (process.env["http_proxy"] !== undefined) return {};
  const shown = await answerOf("apt-config", ["dump", "--format", "%v", "Acquire::http::Proxy"]);
  const proxy = shown.trim();
  return /^https?:\/\//.test(proxy) ? { http_proxy: proxy } : {};
}

/** apt's answer, or nothing where it has none: both questions have a good default. */
async function answerOf(program: string, args: readonly string[]): Promise<string> {
  try {
    return await runProgram(program, args);
  } catch (error) {
    if (error instanceof ProgramError) return "";
    throw error;
  }
}
