import { readFile } from "node:fs/promises";
import { type IMetric, MathExpression } from "aws-cdk-lib/aws-cloudwatch";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { renewCertificates } from "../../functions/reconcilers/certificates/reconcile.ts";
import { ClusterWatch } from "../../functions/reconcilers/cluster-health/watch.ts";
import { removeWhatIsOver } from "../../functions/reconcilers/deleted-clusters/reconcile.ts";
import { endWhatIsOver } from "../../functions/reconcilers/expirations/expire.ts";
import { reconcileOrphans } from "../../functions/reconcilers/orphans/reconcile.ts";
import { removeRetiredVersions } from "../../functions/reconcilers/retired-versions/reconcile.ts";
import { beginMissedBackups } from "../../functions/reconcilers/scheduled-backups/reconcile.ts";
import { healNodes } from "../../functions/reconcilers/self-healing/reconcile.ts";
import { reconcileStuckOperations } from "../../functions/reconcilers/stuck-operations/reconcile.ts";
import { alarmEntries } from "../../infra/constructs/alarm-list.ts";
import { DynamoStore } from "../../layers/aws/store.ts";
import { type Cluster, operationKindSchema } from "../../layers/domain/index.ts";
import { type DynamoDB, openDynamoDB } from "../world/dynamodb.ts";
import { Calls, countingConfig } from "./support/calls.ts";
import {
  fill,
  instancesOf,
  inventoryOf,
  makeClusters,
  nodesPerCluster,
  versionsOf,
  wellNodes,
} from "./support/many-clusters.ts";
import { monthOf, networkMonth, sumOf } from "./support/prices.ts";
import { quotas } from "./support/quotas.ts";

const clusterCount = 2_000;
/** Rounds of the watch in a minute. */
const roundsPerMinute = 10;
const orphanSweepMinutes = 10;
const versionSweepMinutes = 180;
/** Of all reconcilers together in a minute, where there is nothing to find. */
const emptySweeps = { readUnits: 10, tableCalls: 20 };
const fillTimeoutMs = 240_000;

let dynamodb: DynamoDB;
let clusters: readonly Cluster[];
let table: string;
beforeAll(async () => {
  dynamodb = openDynamoDB();
  table = await dynamodb.createTable();
  clusters = makeClusters(clusterCount);
  await fill(table, dynamodb.config, clusters);
}, fillTimeoutMs);
afterAll(() => dynamodb[Symbol.asyncDispose]());

/** A world in which every call is counted, nothing is to be done, and whoever wants to start something fails. */
function worldOf(calls: Calls) {
  const no = (what: string) => () => Promise.reject(new Error(`${what}: nothing is to be done`));
  const errors: unknown[] = [];
  const published: string[] = [];
  const world = {
    environment: "prod",
    store: new DynamoStore(table, countingConfig(dynamodb.config, calls)),
    executions: { start: no("start"), find: no("find"), stop: no("stop") },
    commands: wellNodes(clusters, calls),
    compute: instancesOf(clusters, calls),
    inventory: inventoryOf(clusters, calls),
    secrets: { removeAll: no("remove secrets") },
    repositories: { removeAll: no("remove backups") },
    kinds: operationKindSchema.options,
    versions: versionsOf(calls),
    zones: ["eu-central-1a"],
    graceMs: 3_600_000,
    now: () => new Date(),
    log: (level: string, message: string, fields?: unknown): void => {
      if (level !== "info") errors.push({ message, fields });
    },
    publish: (dimensions: object): void => {
      published.push(Object.keys(dimensions).join());
    },
  };
  return { world, errors, published };
}

type World = ReturnType<typeof worldOf>["world"];

const sweeps: readonly (readonly [
  name: string,
  perMinutes: number,
  sweep: (world: World) => Promise<unknown>,
])[] = [
  ["certificates", 1, renewCertificates],
  ["deleted-clusters", 1, removeWhatIsOver],
  ["expirations", 1, endWhatIsOver],
  ["orphans", orphanSweepMinutes, reconcileOrphans],
  ["retired-versions", versionSweepMinutes, removeRetiredVersions],
  ["scheduled-backups", 1, beginMissedBackups],
  ["self-healing", 1, healNodes],
  ["stuck-operations", 1, reconcileStuckOperations],
];

const perMinute = new Map<string, number>();
const units = { read: 0, write: 0 };

function remember(calls: Calls, minutes: number): void {
  for (const [action, count] of Object.entries(calls.all)) {
    perMinute.set(action, (perMinute.get(action) ?? 0) + count / minutes);
  }
  units.read += calls.readUnits / minutes;
  units.write += calls.writeUnits / minutes;
}

describe(`${clusterCount} clusters with ${clusterCount * nodesPerCluster} nodes that are all well`, () => {
  test.each(sweeps)(
    "are swept by %s within its time, and nothing is done to them",
    async (_name, minutes, sweep) => {
      const calls = new Calls();
      const { world, errors } = worldOf(calls);
      await sweep(world);
      expect(errors).toEqual([]);
      remember(calls, minutes);
    },
  );

  test("are watched a part at a time, each in its turn, and told of once a minute", async () => {
    const calls = new Calls();
    const { world, errors, published } = worldOf(calls);
    const watch = new ClusterWatch(world, { confirmMs: 0 });
    for (let round = 0; round < roundsPerMinute; round++) await watch.round();
    await watch.tell(0);
    expect(errors).toEqual([]);
    // Each look of a cold start is one at every node; from then on it is one at one of them.
    const looked = published.filter((about) => about === "Environment,ClusterId").length;
    expect(looked).toBe(((quotas["ssm:SendCommand"].perSecond / 2) * 60) / nodesPerCluster);
    // After the cold start as many commands are looks at more clusters, each of which is written down.
    calls.writeUnits *= nodesPerCluster;
    remember(calls, 1);
  });

  test("take at most half of what AWS lets an account do, all sweeps together", () => {
    for (const [action, { perSecond }] of Object.entries(quotas)) {
      expect((perMinute.get(action) ?? 0) / 60, action).toBeLessThanOrEqual(perSecond / 2);
    }
    expect(units.read / 60).toBeLessThan(quotas.readUnits.perSecond / 2);
    expect(units.write / 60).toBeLessThan(quotas.writeUnits.perSecond / 2);
    const known = Object.keys(quotas);
    expect(
      [...perMinute.keys()].filter((action) => !action.startsWith("dynamodb:") && !known.includes(action)),
    ).toEqual([]);
  });

  test("cost what docs/costs.md says: an environment without clusters below 10 USD a month, each cluster below 5", async () => {
    const tableCalls = [...perMinute].reduce(
      (sum, [action, count]) => (action.startsWith("dynamodb:") ? sum + count : sum),
      0,
    );
    const alarmMetrics = alarmEntries({
      environment: "prod",
      apiId: "a",
      tableName: "t",
      functions: ["api", "start-backup", "cluster-health", ...sweeps.map(([name]) => name)],
    }).reduce((sum, { metric }) => sum + metricsIn(metric), 0);
    const idle = monthOf({ clusters: 0, ...emptySweeps, writeUnits: 0, alarmMetrics });
    const many = monthOf({
      clusters: clusterCount,
      readUnits: units.read,
      writeUnits: units.write,
      tableCalls,
      alarmMetrics,
    });
    expect(idle.functions + idle.table + idle.key + idle.logs).toBeLessThan(10);
    const each = (sumOf(many) - sumOf(idle)) / clusterCount;
    expect(each).toBeLessThan(5);
    const page = await readFile(new URL("../../docs/costs.md", import.meta.url), "utf8");
    for (const [what, value] of Object.entries(idle)) expect(page).toContain(`| ${what} | ${usd(value)} |`);
    expect(page).toContain(`| ${usd(each)} |`);
    const { endpoints, nat } = networkMonth(3);
    expect(page).toContain(`| ${usd(endpoints)} |`);
    expect(page).toContain(`| ${usd(nat)} |`);
  });
});

/** CloudWatch charges an alarm by the metrics that it looks at. */
const metricsIn = (metric: IMetric): number =>
  metric instanceof MathExpression ? Object.keys(metric.usingMetrics).length : 1;

const usd = (value: number): string => (value < 10 ? value.toFixed(1) : value.toFixed(0));
