import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Output of one command that we keep; `npm start` prints a few kilobytes. */
const outputBytesMax = 16 * 1024 * 1024;
/** Building the node image on a busy machine is the slowest thing that a command does. */
const commandTimeoutMs = 15 * 60_000;

export interface EnvironmentFile {
  readonly api: string;
  readonly tokenFile: string;
  readonly pids: Readonly<Record<string, number>>;
}

/** A local environment as its operator has it: a state directory and the commands of package.json. */
export class Environment {
  readonly stateDirectory: string;
  readonly cacheDirectory: string;

  constructor(stateDirectory: string, cacheDirectory: string) {
    this.stateDirectory = stateDirectory;
    this.cacheDirectory = cacheDirectory;
  }

  /** Runs `npm run <command> -- <args>` and returns what it printed. Rejects when it exits with another status than 0. */
  npm(command: string, ...args: string[]): Promise<string> {
    return this.npmOf(process.cwd(), command, ...args);
  }

  /** The same, with the commands of another checkout. */
  async npmOf(checkout: string, command: string, ...args: string[]): Promise<string> {
    const { stdout } = await run("npm", ["run", "--silent", command, "--", ...args], {
      cwd: checkout,
      env: {
        ...process.env,
        PGHERD_STATE_DIR: this.stateDirectory,
        PGHERD_CACHE_DIR: this.cacheDirectory,
      },
      maxBuffer: outputBytesMax,
      timeout: commandTimeoutMs,
    });
    return stdout;
  }

  async file(): Promise<EnvironmentFile> {
    return JSON.parse(
      await readFile(join(this.stateDirectory, "environment.json"), "utf8"),
    ) as EnvironmentFile;
  }

  async token(): Promise<string> {
    const { tokenFile } = await this.file();
    return (await readFile(tokenFile, "utf8")).trim();
  }

  /** The variables of `aws.env`, as an AWS client would find them in its environment. */
  async awsVariables(): Promise<Record<string, string>> {
    const text = await readFile(join(this.stateDirectory, "aws.env"), "utf8");
    return Object.fromEntries(
      text
        .split("\n")
        .filter((line) => line.includes("=") && !line.startsWith("#"))
        .map((line) => {
          const at = line.indexOf("=");
          return [line.slice(0, at).replace(/^export /, ""), line.slice(at + 1)] as const;
        }),
    );
  }

  /** kill -9 of every process that environment.json names. */
  async killControlPlane(): Promise<void> {
    const { pids } = await this.file();
    for (const pid of Object.values(pids)) {
      try {
        process.kill(pid, "SIGKILL");
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
      }
    }
  }
}
