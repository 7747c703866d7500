import { readdir } from "node:fs/promises";
import { expect, test } from "vitest";
import { findingKinds } from "../../../layers/domain/cluster/health/findings.ts";
import { metricsEndpoints } from "../../../layers/domain/cluster/metrics-endpoints.ts";
import { renderAlertRules } from "../../../layers/domain/prometheus/alerts.ts";
import { renderScrapeConfiguration } from "../../../layers/domain/prometheus/scrape.ts";

const docs = new URL("../../../docs/", import.meta.url);
const fileOf = (name: string): string => new URL(`monitoring/${name}`, docs).pathname;

const scrape = renderScrapeConfiguration({
  api: "https://pgherd.example.com",
  tokenFile: "pgherd-token",
  authoritiesFile: "pgherd-ca.pem",
  rulesFile: "alerts.yml",
});
const rules = renderAlertRules();

test("the files for Prometheus are those that pgherd renders", async () => {
  await expect(
    `# Made by layers/domain/prometheus/scrape.ts; what it takes is in README.md.\n${scrape}`,
  ).toMatchFileSnapshot(fileOf("prometheus.yml"));
  await expect(`# Made by layers/domain/prometheus/alerts.ts.\n${rules}`).toMatchFileSnapshot(
    fileOf("alerts.yml"),
  );
});

test("there is a job for every endpoint of a node", () => {
  for (const endpoint of metricsEndpoints) expect(scrape).toContain(`metrics_path: /${endpoint}\n`);
});

test("there is a job for what the API tells, with the token that the API wants", () => {
  const [, job = ""] = scrape.split("job_name: pgherd-control-plane\n");
  expect(job).toContain("metrics_path: /v1/prometheus/metrics\n");
  expect(job).toContain("credentials_file: pgherd-token\n");
  expect(job).toContain("- pgherd.example.com\n");
});

test("a job can ask an API that has a port and no TLS", () => {
  const local = renderScrapeConfiguration({
    api: "http://127.0.0.1:8080",
    tokenFile: "t",
    authoritiesFile: "a",
    rulesFile: "r",
  });
  const [, job = ""] = local.split("job_name: pgherd-control-plane\n");
  expect(job).toContain("scheme: http\n");
  expect(job).toContain('- "127.0.0.1:8080"\n');
});

test("every finding has its alert", () => {
  const alerted = new Set([...rules.matchAll(/finding: ([\w-]+)/g)].map(([, kind]) => kind));
  expect([...alerted].toSorted()).toEqual(findingKinds.toSorted());
});

test("every alert has its runbook, and a name of its own", async () => {
  const runbooks = await readdir(new URL("runbooks/", docs));
  const named = [...rules.matchAll(/runbook: docs\/runbooks\/([\w-]+\.md)/g)].map(([, file]) => file);
  const names = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
  expect(named).toHaveLength(names.length);
  expect(runbooks).toEqual(expect.arrayContaining([...new Set(named)]));
  expect(new Set(names).size).toBe(names.length);
});
