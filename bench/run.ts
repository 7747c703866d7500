import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Api } from "../test/e2e/support/api.ts";
import { Environment } from "../test/e2e/support/environment.ts";
import { benchColdStart } from "./cold-start.ts";
import { benchCreate } from "./create.ts";
import { benchFailures } from "./failures.ts";
import { benchLatency } from "./latency.ts";
import { benchMemory } from "./memory.ts";
import { benchOperate } from "./operate.ts";
import { benchRecovery } from "./recovery.ts";
import { benchSwitchover } from "./switchover.ts";

/** `npm run bench [-- name …]`: measures in an environment of its own, prints one JSON line per figure, judges nothing. */
const benches = {
  "cold-start": () => benchColdStart(),
  create: (_: Environment, api: Api) => benchCreate(api),
  latency: (_: Environment, api: Api) => benchLatency(api),
  switchover: (environment: Environment, api: Api) => benchSwitchover(environment, api),
  recovery: (environment: Environment, api: Api) => benchRecovery(environment, api),
  memory: (environment: Environment, api: Api) => benchMemory(environment, api),
  "failures-fast": (environment: Environment, api: Api) => benchFailures(environment, api, "fast"),
  "failures-standard": (environment: Environment, api: Api) => benchFailures(environment, api, "standard"),
  "failures-cautious": (environment: Environment, api: Api) => benchFailures(environment, api, "cautious"),
  operate: (environment: Environment, api: Api) => benchOperate(environment, api),
};

function isBench(name: string): name is keyof typeof benches {
  return name in benches;
}

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !isBench(name));
if (unknown.length > 0)
  throw new Error(`no bench ${unknown.join(", ")}: choose from ${Object.keys(benches).join(", ")}`);
const names = asked.length === 0 ? Object.keys(benches) : asked;

const directory = await mkdtemp(join(tmpdir(), "pgherd-bench-"));
const environment = new Environment(
  join(directory, "state"),
  process.env["PGHERD_CACHE_DIR"] ?? "/var/cache/pgherd",
);
try {
  await environment.npm("start", "--no-demo");
  const api = new Api(environment);
  for (const name of names) if (isBench(name)) await benches[name](environment, api);
} finally {
  await environment.npm("destroy");
  await rm(directory, { recursive: true, force: true });
}
