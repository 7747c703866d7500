import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Api } from "../test/e2e/support/api.ts";
import { Environment } from "../test/e2e/support/environment.ts";
import { benchBackup } from "./backup/backup.ts";
import { benchColdStart } from "./cold-start.ts";
import { benchCreate } from "./create.ts";
import { benchFailures } from "./failures/failures.ts";
import { benchLatency } from "./latency.ts";
import { benchMemory } from "./memory.ts";
import { benchOperate } from "./operate.ts";
import { benchSwitchover } from "./switchover.ts";

/** `npm run bench [-- name …]`: measures in an environment of its own, prints one JSON line per figure, judges nothing. */

/** What a bench is given: its environment, the API, and a stack that removes what it made, however it ends. */
type Bench = (environment: Environment, api: Api, stack: AsyncDisposableStack) => Promise<unknown>;

/** These measure what is built, and need no environment. */
const benchesOfBuild: Readonly<Record<string, () => Promise<unknown>>> = {
  "cold-start": benchColdStart,
};
const shortBenches: Readonly<Record<string, Bench>> = {
  create: (_, api) => benchCreate(api),
  latency: (_, api) => benchLatency(api),
  memory: benchMemory,
};
/** A quarter of an hour each, and `backup` an hour or more: only when named. */
const longBenches: Readonly<Record<string, Bench>> = {
  backup: benchBackup,
  switchover: benchSwitchover,
  operate: benchOperate,
  "failures-fast": benchFailures("fast"),
  "failures-standard": benchFailures("standard"),
  "failures-cautious": benchFailures("cautious"),
};
const benches: Readonly<Record<string, Bench>> = { ...shortBenches, ...longBenches };

const shortNames = [...Object.keys(benchesOfBuild), ...Object.keys(shortBenches)];
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => benches[name] === undefined && benchesOfBuild[name] === undefined);
if (unknown.length > 0)
  throw new Error(
    `no bench ${unknown.join(", ")}: choose from ${shortNames.join(", ")} and, only run when named, ${Object.keys(longBenches).join(", ")}`,
  );
const names = asked.length === 0 ? shortNames : asked;

/** Whoever interrupts a bench gets a clean machine too. */
const interrupted = new Promise<never>((_, reject) => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
    process.once(signal, () => reject(new Error(`interrupted by ${signal}`)));
});

async function run(bench: Bench, environment: Environment, api: Api): Promise<void> {
  await using stack = new AsyncDisposableStack();
  await Promise.race([bench(environment, api, stack), interrupted]);
}

/** Starts an environment, and removes it whatever happens. */
async function runInEnvironment(chosen: readonly Bench[]): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "pgherd-bench-"));
  const environment = new Environment(
    join(directory, "state"),
    process.env["PGHERD_CACHE_DIR"] ?? "/var/cache/pgherd",
  );
  try {
    await Promise.race([environment.npm("start", "--no-demo"), interrupted]);
    const api = new Api(environment);
    for (const bench of chosen) await run(bench, environment, api);
  } finally {
    await environment.npm("destroy");
    await rm(directory, { recursive: true, force: true });
  }
}

for (const name of names) await Promise.race([benchesOfBuild[name]?.(), interrupted]);
const chosen = names.flatMap((name) => benches[name] ?? []);
if (chosen.length > 0) await runInEnvironment(chosen);
