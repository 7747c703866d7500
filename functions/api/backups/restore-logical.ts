import {
  type Backup,
  backupStatuses,
  type Cluster,
  checkSpec,
  type FieldError,
  isReadableBy,
  type LoadRequest,
  Problem,
  type ProblemCode,
  storeOf,
} from "@pgherd/layers/domain";
import { CommandError } from "@pgherd/layers/ports";
import { newId } from "@pgherd/layers/runtime";
import { type Answer, type Call, entityTag, type z } from "@pgherd/layers/runtime/http";
import { checkAccess } from "../access.ts";
import { checkName, startMaking } from "../clusters/create.ts";
import { findCluster } from "../clusters/find.ts";
import type { ApiContext } from "../context.ts";
import { accepted, countPerZone, newOperation, startEntry, startExecution, wouldDo } from "../mutation.ts";
import { checkStatus } from "../start-operation.ts";
import { checkStore, storePath } from "../stores.ts";
import { newClusterOf, newClusterPath, type newClusterSchema } from "./new-cluster.ts";
import { fromOf, type Source } from "./source.ts";
import { checkNoBackupRuns } from "./start.ts";

interface Body {
  readonly target?: unknown;
  readonly exclusive?: boolean | undefined;
  readonly unlisted?: boolean | undefined;
  readonly timeline?: number | undefined;
  readonly backupId?: string | undefined;
  readonly database?: string | undefined;
  readonly into: {
    readonly newCluster?: z.infer<typeof newClusterSchema> | undefined;
    readonly database?: { readonly clusterId?: string | undefined; readonly name: string } | undefined;
  };
}
type RestoreCall = Call<unknown, { dryRun: boolean }, Body>;

/** One database of a logical backup, into a new cluster or a database that has nothing in it yet. */
export async function restoreLogical(
  context: ApiContext,
  call: RestoreCall,
  from: Source,
  named: Backup | null,
): Promise<Answer> {
  const { database: into, newCluster } = call.body.into;
  const { backup, database } = choose(from, call.body, named);
  const source = { clusterId: from.id, shard: backup.shard, backupId: backup.id, database };
  if (into !== undefined) {
    const isSame = into.clusterId === undefined || into.clusterId === from.id;
    const own = isSame ? from.cluster : null;
    const cluster = own ?? (await findCluster(context, into.clusterId ?? from.id));
    return intoDatabase(context, call, { cluster, from, backup, load: { source, name: into.name } });
  }
  if (newCluster === undefined) throw new Error("the body says nowhere to restore into");
  return intoNewCluster(context, call, { from, backup, load: { source, name: from.spec.database } });
}

interface Plan {
  /** The cluster that it comes from. */
  readonly from: Source;
  readonly backup: Backup;
  readonly load: LoadRequest;
}

interface PlanInto extends Plan {
  /** The one that is loaded into. */
  readonly cluster: Cluster;
}

function refusal(code: ProblemCode, path: string, message: string): Problem {
  const error: FieldError = { path, message };
  return new Problem(code, `The restore cannot be done: ${path.slice(1)} ${message}.`, { errors: [error] });
}

/** @throws {Problem} what stands in the way, with what would be right */
function choose(
  { spec }: Source,
  { backupId, database = spec.database, exclusive, target, timeline, unlisted }: Body,
  backup: Backup | null,
): { backup: Backup; database: string } {
  if (backupId === undefined) {
    throw refusal("backup-unknown", "/backupId", "is required: into.database takes a logical backup");
  }
  if (backup === null || backup.state !== "succeeded") {
    const message = `${backupId} is no backup of this cluster that can be restored`;
    throw refusal("backup-unknown", "/backupId", message);
  }
  if (backup.logical === null) {
    const message = `is for logical backups, and ${backupId} is a ${backup.type} one of all databases: use into.newCluster`;
    throw refusal("backup-unfit", "/into/database", message);
  }
  if (target !== undefined && target !== "immediate") {
    const message =
      "must be left out: a logical backup has what there was when it began, and no WAL after it";
    throw refusal("backup-unfit", "/target", message);
  }
  const ofWal = Object.entries({ exclusive, timeline, unlisted }).find(([, value]) => value !== undefined);
  if (ofWal !== undefined) {
    throw refusal("backup-unfit", `/${ofWal[0]}`, "must be left out: it is about a target in WAL");
  }
  const { databases } = backup.logical;
  if (!databases.includes(database)) {
    const message = `must be one of those that the backup has: ${databases.join(", ")}`;
    throw refusal("database-unknown", "/database", message);
  }
  return { backup, database };
}

async function intoDatabase(context: ApiContext, call: RestoreCall, plan: PlanInto): Promise<Answer> {
  const { backup, cluster, from, load } = plan;
  checkStatus(cluster, "have a database restored into it", backupStatuses);
  checkNoBackupRuns(cluster);
  checkInto(plan);
  const { exists, isEmpty } = await inspect(context, cluster, load.name);
  if (!isEmpty) {
    const message = `"${load.name}" has something in it already: name an empty database, or one that is not there`;
    throw refusal("database-not-empty", "/into/database/name", message);
  }
  const summary = `Restore database "${load.source.database}" from logical backup ${backup.id} into database "${load.name}" of cluster "${cluster.name}".`;
  if (call.query.dryRun) {
    const preflight = { backupId: backup.id, database: load.source.database, exists };
    return wouldDo("load-database", summary, { preflight });
  }
  const operation = {
    ...newOperation("load-database", cluster.id, call.caller.principal),
    request: { ...load, ...storeOf(from) },
  };
  const audit = startEntry(call, operation, summary);
  const after: Cluster = { ...cluster, backupOperationId: operation.id, updatedAt: operation.createdAt };
  const answer = accepted(operation, { cluster: after, warnings: [] });
  const tagged = { ...answer, headers: { ...answer.headers, etag: entityTag(cluster.generation) } };
  const start = { operation, audit, idempotency: call.remember(tagged) };
  await context.store.startBackupOperation(start, null, fromOf(from).from);
  await startExecution(context, operation);
  return tagged;
}

function checkInto({ backup, cluster: { spec }, load: { name } }: PlanInto): void {
  const version = backup.logical?.postgresVersion ?? "";
  if (!isReadableBy(version, spec.postgresVersion)) {
    const message = `has PostgreSQL ${spec.postgresVersion}, and the backup is of ${version}: only that version and later ones read it`;
    throw refusal("backup-unfit", "/into/database/clusterId", message);
  }
  const [wrong] = checkSpec({ ...spec, database: name }).errors.filter(({ path }) => path === "/database");
  if (wrong !== undefined) throw refusal("invalid-request", "/into/database/name", wrong.message);
}

const inspectSeconds = 10;

/** @throws {Problem} `no-leader`, `cluster-unreachable` */
async function inspect({ commands, observer }: ApiContext, cluster: Cluster, name: string) {
  const leader = (await observer.observe(cluster)).shards[0]?.leader;
  const node = cluster.nodes.find(({ id }) => id === leader);
  if (node === undefined || node.instanceId === null) {
    throw new Problem("no-leader", `Cluster ${cluster.id} has no leader that could load a database.`);
  }
  const step = "inspect-database";
  const address = { instanceId: node.instanceId, operationId: newId("operation"), step };
  const input = { clusterId: cluster.id, nodeId: node.id, name };
  try {
    return await commands.run({ ...address, deadlineSeconds: inspectSeconds }, step, input);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw unsaid(cluster, node.id, error);
  }
}

const unsaid = ({ id }: Cluster, leader: string, cause: CommandError): Problem =>
  new Problem(
    "cluster-unreachable",
    `Node ${leader}, which leads cluster ${id}, does not say what is in the database: ${cause.message}.`,
    { cause },
  );

async function intoNewCluster(context: ApiContext, call: RestoreCall, plan: Plan): Promise<Answer> {
  const { backup, from, load } = plan;
  const { newCluster } = call.body.into;
  if (newCluster === undefined) throw new Error("there is no new cluster to restore into");
  const { nodes, spec, warnings } = newClusterOf(context, from, newCluster, backup);
  await checkAccess(context, spec, { path: newClusterPath });
  await checkStore(context, spec, `${newClusterPath}${storePath}`);
  const summary = `Restore database "${load.source.database}" of cluster "${from.name}" from logical backup ${backup.id} into a new cluster "${spec.name}".`;
  if (call.query.dryRun) {
    await checkName(context, spec.name, `${newClusterPath}/name`);
    const preflight = { backupId: backup.id, database: load.source.database };
    const nodesPerZone = countPerZone(nodes);
    return wouldDo("restore-cluster", summary, { spec, nodesPerZone, warnings: [...warnings], preflight });
  }
  const operation = {
    ...newOperation("restore-cluster", newId("cluster"), call.caller.principal),
    request: { ...load, ...storeOf(from) },
  };
  return startMaking(context, call, { spec, nodes, operation, warnings, summary, ...fromOf(from) });
}
