import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clusterGaugesOf, renderText } from "../../layers/domain/index.ts";
import { runProgram } from "../../local/machines/program.ts";
import { toldCluster } from "../world/told-cluster.ts";
import { alertTests, testedAlerts } from "./support/alert-tests.ts";
import { ensurePromtool } from "./support/promtool.ts";

/** The first run downloads promtool. */
const promtoolTimeoutMs = 15 * 60 * 1000;
/** It plays a quarter of an hour three dozen times, which takes seconds where nothing else runs. */
const checkTimeoutMs = 100_000;

const monitoring = path.join(import.meta.dirname, "../../docs/monitoring");

let promtool: string;
let directory: string;

/** The files as a user has them beside each other, with whatever the user brings. */
beforeAll(async () => {
  promtool = await ensurePromtool();
  directory = await mkdtemp(path.join(tmpdir(), "pgherd-prometheus-"));
  for (const file of ["prometheus.yml", "alerts.yml"])
    await copyFile(path.join(monitoring, file), path.join(directory, file));
  for (const file of ["pgherd-token", "pgherd-ca.pem"]) await writeFile(path.join(directory, file), "");
}, promtoolTimeoutMs);
afterAll(() => rm(directory, { recursive: true, force: true }));

const check = (...args: string[]): Promise<string> =>
  runProgram(promtool, [...args.slice(0, -1), path.join(directory, args.at(-1) ?? "")], {
    timeoutMs: checkTimeoutMs,
  });

describe("Prometheus' own checker", () => {
  test("takes the scrape configuration, with the rules that it names", async () => {
    expect(await check("check", "config", "prometheus.yml")).toMatch(/SUCCESS: \d+ rules found/);
  });

  test("takes the alert rules", async () => {
    expect(await check("check", "rules", "alerts.yml")).toMatch(/SUCCESS: \d+ rules found/);
  });

  test("takes what the API tells, and has nothing to say of its names and units", async () => {
    const stdin = renderText(clusterGaugesOf("prod", [toldCluster()], 0));
    const said = await runProgram(promtool, ["check", "metrics"], { timeoutMs: checkTimeoutMs, stdin });
    expect(said).toBe("");
  });

  test("finds every alert silent where all is well, and told where it is not", async () => {
    await writeFile(path.join(directory, "tests.yml"), alertTests("alerts.yml"));
    expect(await check("test", "rules", "tests.yml")).toContain("SUCCESS");
    const rules = await readFile(path.join(monitoring, "alerts.yml"), "utf8");
    const alerts = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
    expect(testedAlerts.toSorted()).toEqual(alerts.toSorted());
  });
});
