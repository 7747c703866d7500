import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const repository = join(import.meta.dirname, "..", "..", "..");
const bootstrap = join(repository, "local", "bootstrap.sh");
/** It refuses within moments; one that does not has begun to set up this machine. */
const timeoutMs = 10_000;

const debian = 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n';
const plentyOfMemory = "MemTotal:       24684084 kB\n";
const littleMemory = "MemTotal:        2900000 kB\n";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "pgherd-bootstrap-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

interface Machine {
  readonly system?: string;
  readonly memory?: string;
  /** Where an empty file system of 100 MB is mounted: `here` is where state and cache were to be. */
  readonly empty?: "here" | "/sys/fs/cgroup";
  readonly command?: readonly string[];
  readonly root?: boolean;
}

interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What it left in the directory that state and cache were to be made in. */
  readonly left: string[];
}

/** Runs the real script in mount and network namespaces in which the machine looks otherwise than it is. */
async function bootstrapOn(machine: Machine): Promise<Outcome> {
  await writeFile(join(directory, "os-release"), machine.system ?? debian);
  await writeFile(join(directory, "meminfo"), machine.memory ?? plentyOfMemory);
  const script = [
    `mount --bind '${directory}/os-release' /etc/os-release`,
    `mount --bind '${directory}/meminfo' /proc/meminfo`,
    ...(machine.empty === undefined
      ? []
      : [`mount -t tmpfs -o size=100m tmpfs '${machine.empty === "here" ? directory : machine.empty}'`]),
    'exec "$@"',
  ].join("\n");
  // Nobody, with root's rights to read this checkout, wherever it is.
  const as = machine.root === false ? ["unshare", "--user"] : [];
  const argv = ["--mount", "--net", "sh", "-eu", "-c", script, "sh", ...as, "sh", bootstrap];
  const outcome = await new Promise<Omit<Outcome, "left">>((resolve) => {
    execFile(
      "unshare",
      [...argv, ...(machine.command ?? ["start"])],
      {
        timeout: timeoutMs,
        env: {
          PATH: process.env["PATH"],
          PGHERD_STATE_DIR: join(directory, "new", "state"),
          PGHERD_CACHE_DIR: join(directory, "new", "cache"),
        },
      },
      (error, stdout, stderr) =>
        resolve({
          exitCode: typeof error?.code === "number" ? error.code : error === null ? 0 : -1,
          stdout,
          stderr,
        }),
    );
  });
  const left = (await readdir(directory)).filter((name) => name !== "os-release" && name !== "meminfo");
  return { ...outcome, left };
}

describe("a machine that cannot be used is refused with a sentence, before anything is changed", () => {
  test.each<[string, Machine, string]>([
    ["another distribution", { system: 'ID=fedora\nPRETTY_NAME="Fedora 43"\n' }, "this is Fedora 43."],
    ["a system without a name", { system: "" }, "an unknown system"],
    [
      "a Debian that is too old",
      { system: 'ID=debian\nVERSION_ID="11"\nPRETTY_NAME="Debian 11"\n' },
      "Debian 12 or later",
    ],
    [
      "an Ubuntu that is too old",
      { system: 'ID=ubuntu\nVERSION_ID="20.04"\nPRETTY_NAME="Ubuntu 20.04"\n' },
      "Ubuntu 22.04 or later",
    ],
    ["somebody who is not root", { root: false }, "run it with sudo"],
    ["too little memory", { memory: littleMemory }, "needs 3 GB of memory, and this machine has 2832 MiB"],
    ["a full disk", { empty: "here" }, "MiB are free: make room"],
    ["no control groups", { empty: "/sys/fs/cgroup" }, "systemd.unified_cgroup_hierarchy=1"],
  ])("%s", async (_, machine, sentence) => {
    const { exitCode, stderr, left } = await bootstrapOn(machine);

    expect(stderr).toContain(sentence);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(exitCode).toBe(1);
    expect(left).toEqual([]);
  });

  test.each([
    ["Debian 12", debian],
    ["Debian 13", 'ID=debian\nVERSION_ID="13"\n'],
    ["Ubuntu 22.04", 'ID=ubuntu\nVERSION_ID="22.04"\n'],
    ["Ubuntu 24.04", 'ID=ubuntu\nVERSION_ID="24.04"\n'],
  ])("%s is taken: it is asked for its memory", async (_, system) => {
    const { stderr } = await bootstrapOn({ system, memory: littleMemory });

    expect(stderr).toContain("3 GB of memory");
  });
});

describe("where there is no environment", () => {
  test.each(["status", "logs", "psql", "token", "stop"])("%s says how to make one", async (command) => {
    const { exitCode, stderr, left } = await bootstrapOn({ command: [command] });

    expect(stderr).toContain("npm start makes one");
    expect(exitCode).toBe(1);
    expect(left).toEqual([]);
  });

  test("destroy has nothing to do", async () => {
    const { exitCode, left } = await bootstrapOn({ command: ["destroy"] });

    expect(exitCode).toBe(0);
    expect(left).toEqual([]);
  });
});

test("--help names the commands and changes nothing, on any machine", async () => {
  const { exitCode, stdout, left } = await bootstrapOn({
    command: ["start", "--help"],
    memory: littleMemory,
    system: "ID=fedora\n",
  });

  expect(stdout).toContain("npm run destroy");
  expect(exitCode).toBe(0);
  expect(left).toEqual([]);
});
