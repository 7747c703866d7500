import { execFile, spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A journal of a machine that ran for an hour. */
const outputBytesMax = 256 * 1024 * 1024;

export interface MachineProcess {
  readonly pid: number;
  readonly parentPid: number;
  readonly argv: readonly string[];
}

async function readProcess(pid: number, address: string): Promise<MachineProcess | undefined> {
  try {
    const routes = await readFile(`/proc/${pid}/net/fib_trie`, "utf8");
    const own = routes.matchAll(/\|-- ([\d.]+)\n\s+\/32 host LOCAL/g);
    if (![...own].some((match) => match[1] === address)) return undefined;
    const [cmdline, status] = await Promise.all([
      readFile(`/proc/${pid}/cmdline`, "utf8"),
      readFile(`/proc/${pid}/status`, "utf8"),
    ]);
    return {
      pid,
      parentPid: Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]),
      argv: cmdline.split("\0").filter((word) => word !== ""),
    };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH" || code === "EINVAL") return undefined; // it ended meanwhile
    throw error;
  }
}

/** Every process whose network has `address` as its own: the processes of that node's machine. */
export async function processesAt(address: string): Promise<MachineProcess[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(pids.map((pid) => readProcess(pid, address)));
  return found.filter((process) => process !== undefined);
}

/** PostgreSQL's first process on the node, which all others die with. */
export async function postmasterAt(address: string): Promise<MachineProcess> {
  const all = await processesAt(address);
  const postmaster = all.find(({ argv }) => /\/postgres$/.test(argv[0] ?? "") && argv.includes("-D"));
  if (postmaster === undefined) throw new Error(`PostgreSQL does not run at ${address}`);
  return postmaster;
}

/** The machine's PID 1: killing it pulls the plug. */
export async function initAt(address: string): Promise<MachineProcess> {
  const all = await processesAt(address);
  const pids = new Set(all.map(({ pid }) => pid));
  const init = all.find(({ pid, parentPid, argv }) => {
    const outside = !pids.has(parentPid);
    return outside && /systemd|init/.test(argv[0] ?? "") && pid > 1;
  });
  if (init === undefined) throw new Error(`no machine runs at ${address}`);
  return init;
}

/** Runs a program inside the machine as root would on its console. */
export async function onMachine(address: string, argv: readonly string[]): Promise<string> {
  const init = await initAt(address);
  const { stdout } = await run("nsenter", ["-t", String(init.pid), "-a", ...argv], {
    maxBuffer: outputBytesMax,
  });
  return stdout;
}

/** Enough to tell what these units did in the last minutes. */
const journalLines = 80;

/** The last lines of these units, in the order in which they were said: for who reads why a test failed. */
export function journalOf(address: string, units: readonly string[]): Promise<string> {
  const named = units.flatMap((unit) => ["-u", unit]);
  return onMachine(address, ["journalctl", "-o", "short-iso-precise", "-n", String(journalLines), ...named]);
}

/**
 * Listens to a unit of the machine from now on: `heard` resolves at the first line that has the text in it, at once and
 * not at the next look. @throws (in `heard`) when nothing of it was said in time
 */
export async function listenAt(
  address: string,
  unit: string,
  text: string,
  timeoutSeconds: number,
): Promise<{ readonly heard: Promise<void> }> {
  const init = await initAt(address);
  const follow = ["journalctl", "-u", unit, "-o", "cat", "-f", "-n", "1"];
  const journal = spawn("nsenter", ["-t", String(init.pid), "-a", ...follow], {
    stdio: ["ignore", "pipe", "inherit"],
    timeout: timeoutSeconds * 1000,
  });
  const lines = createInterface({ input: journal.stdout })[Symbol.asyncIterator]();
  // The unit's last line of before is shown first: from then on nothing is missed.
  await lines.next();
  const listen = async (): Promise<void> => {
    try {
      for (let line = await lines.next(); line.done !== true; line = await lines.next()) {
        if (line.value.includes(text)) return;
      }
      throw new Error(`${unit} at ${address} did not say "${text}" within ${timeoutSeconds} s`);
    } finally {
      journal.kill();
    }
  };
  return { heard: listen() };
}
