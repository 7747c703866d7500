import {
  type Backup,
  type Cluster,
  type DrillPlan,
  drillTablesSchema,
  Problem,
  planDrill,
} from "@pgherd/layers/domain";
import { newId } from "@pgherd/layers/runtime";
import {
  type Answer,
  type Call,
  checkIfMatch,
  defineRoute,
  dryRunQuery,
  named,
  type Route,
  z,
} from "@pgherd/layers/runtime/http";
import { findCluster } from "../clusters/find.ts";
import type { ApiContext } from "../context.ts";
import { accepted, countPerZone, startEntry, startExecution, wouldDo } from "../mutation.ts";
import { backupAcceptedAnswer, backupParams, dryRunAnswer } from "../schemas.ts";
import { findBackup } from "./find.ts";

const definition = {
  method: "post",
  path: "/v1/clusters/{clusterId}/backups/{backupId}/drill",
  operationId: "drillBackup",
  tag: "backups",
  summary: "Prove a backup by restoring it",
  description:
    "Restores it into a cluster of one node that is made for it, checks tables and indexes of every database (pg_amcheck), the checksum of every page (pg_checksums) and counts the rows of the tables that are named, measures the time, and removes everything again, whatever comes of it. The newest backup is restored with all WAL after it, as after a disaster; an older one as it is. The cluster itself is only read, and goes on with everything. What came of it stands at the backup (`lastDrill`) and at the cluster (`lastDrill`, `measuredRecovery`).",
  role: "operator",
  isMutation: true,
  isConditional: true,
  params: backupParams,
  query: z.strictObject(dryRunQuery),
  body: named(
    "DrillBackup",
    z.strictObject({
      tables: drillTablesSchema.optional().meta({
        description:
          "Tables of the cluster's database whose rows are counted, as `schema.table`; one that is not there fails the drill.",
        default: [],
      }),
    }),
  ),
  example: { tables: ["public.orders"] },
  responses: {
    200: { description: "What would happen (`dryRun=true`).", schema: dryRunAnswer },
    202: {
      description: "The backup as it is now, and the operation that proves it.",
      schema: backupAcceptedAnswer,
      headers: { Location: "Where to watch the operation." },
    },
  },
  problems: ["not-found", "precondition-failed", "backup-unknown", "backup-unfit", "drill-in-progress"],
} as const;

export function drillBackup(context: ApiContext): Route {
  return defineRoute(definition, async (call) => {
    const source = await findCluster(context, call.params.clusterId);
    checkIfMatch(call.ifMatch, source.generation);
    const backup = await findBackup(context, call.params);
    checkDrillable(backup);
    const plan = planDrill(
      { backup, backups: await context.store.allBackups(source.id), source },
      {
        tables: call.body.tables ?? [],
        zones: Object.keys(context.settings.subnets).toSorted(),
        startedBy: call.caller.principal,
        at: new Date().toISOString(),
      },
      { operationId: newId("operation"), clusterId: newId("cluster"), nodeId: newId("node") },
    );
    return call.query.dryRun ? dryRun(context, source, plan) : start(context, call, plan, backup);
  });
}

/** @throws {Problem} `backup-unknown`, `backup-unfit` */
function checkDrillable({ engine, id, state, type }: Backup): void {
  if (state !== "succeeded") {
    throw new Problem(
      "backup-unknown",
      `Backup ${id} is ${state}: only one that has succeeded can be restored.`,
    );
  }
  if (engine === "pgbackrest") return;
  throw new Problem(
    "backup-unfit",
    `Backup ${id} is a ${type} one, which has no files to check: restore it into a new cluster to see what is in it, with POST …/restore.`,
  );
}

async function start(context: ApiContext, call: Call, plan: DrillPlan, backup: Backup): Promise<Answer> {
  const { cluster, operation, summary } = plan;
  const audit = startEntry(call, operation, summary);
  const answer = accepted(operation, { backup, warnings: [] });
  const started = { operation, audit, idempotency: call.remember(answer) };
  try {
    await context.store.createCluster(cluster, started);
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "name-taken") throw error;
    throw await inProgress(context, operation.clusterId, cluster.name, error);
  }
  await startExecution(context, operation);
  return answer;
}

/** A drill has the only name that a cluster has for drills. */
async function inProgress(
  { store }: ApiContext,
  clusterId: string,
  name: string,
  cause?: unknown,
): Promise<Problem> {
  const holder = await store.findClusterByName(name);
  const drillOf = holder === null ? null : ((await store.getCluster(holder))?.drillOf ?? null);
  const running =
    drillOf === null ? `cluster ${holder ?? "of another call"}` : `operation ${drillOf.operationId}`;
  return new Problem(
    "drill-in-progress",
    `Cluster ${clusterId} has one drill at a time, and ${running} has its place ("${name}"). Wait until that is gone, or cancel the operation.`,
    cause === undefined ? {} : { cause },
  );
}

async function dryRun(
  context: ApiContext,
  source: Cluster,
  { cluster, summary }: DrillPlan,
): Promise<Answer> {
  if ((await context.store.findClusterByName(cluster.name)) !== null) {
    throw await inProgress(context, source.id, cluster.name);
  }
  return wouldDo("drill-backup", summary, { nodesPerZone: countPerZone(cluster.nodes) });
}
