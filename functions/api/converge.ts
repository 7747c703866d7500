import {
  type Cluster,
  type ClusterSpec,
  type ConvergeRequest,
  checkImmutable,
  checkLimits,
  checkShrinking,
  checkSpec,
  checkStoreKept,
  convergeRequestSchema,
  type FieldError,
  isForTheRecord,
  isSameSpec,
  type Patch,
  Problem,
  patchSpec,
  previewConverge,
  restartParameters,
} from "@pgherd/layers/domain";
import { type Answer, type Call, z } from "@pgherd/layers/runtime/http";
import { refusePaused } from "./clusters/stop.ts";
import type { ApiContext } from "./context.ts";
import { refuseFrequentSchedules } from "./schedules.ts";
import type { DryRun } from "./schemas.ts";
import { checkReady, operationProblems, startOperation } from "./start-operation.ts";

/** What the verbs share that end in a converge: PATCH, scale and replace. */

export const convergeProblems = [
  ...operationProblems,
  "immutable-field",
  "storage-cannot-shrink",
  "schedule-too-frequent",
  "store-cannot-change",
] as const;

type ConvergeCall = Pick<Call, "ifMatch">;

/** @throws {Problem} where the cluster's status, its generation or another operation is in the way */
export function checkConvergeable(call: ConvergeCall, cluster: Cluster, verb: string): void {
  checkReady(call, cluster, verb, ["available", "degraded"]);
}

/**
 * The spec with the patch on it.
 * @throws {Problem} `immutable-field`, `storage-cannot-shrink`, `store-cannot-change`, `schedule-too-frequent`,
 * `invalid-request`
 */
export function changedSpec(
  { settings }: ApiContext,
  cluster: Cluster,
  patch: Patch,
): { spec: ClusterSpec; warnings: readonly string[] } {
  const patched = patchSpec(cluster.spec, patch, {
    instanceType: settings.defaultInstanceType,
    deletionProtection: settings.defaultDeletionProtection,
  });
  const immutable = checkImmutable(cluster.spec, patch);
  if (!patched.ok) throw notPossible([...immutable, ...patched.errors]);
  const { spec } = patched;
  const refusals = [
    {
      code: "immutable-field",
      detail: `What a cluster was created with stays: ${immutable.map(({ path }) => path.slice(1)).join(", ")}.`,
      found: immutable,
    },
    {
      code: "storage-cannot-shrink",
      detail: "A volume only grows; errors says what to do instead.",
      found: checkShrinking(cluster.spec, spec),
    },
    {
      code: "store-cannot-change",
      detail: "A cluster keeps the store of its backups; errors says what to do instead.",
      found: checkStoreKept(cluster.spec, spec),
    },
  ] as const;
  const { errors: wrong, warnings } = checkSpec(spec);
  const errors = [...wrong, ...checkLimits(spec, settings.limits, cluster.spec)];
  const all = [...refusals.flatMap(({ found }) => found), ...errors];
  if (all.length === 0) {
    refuseFrequentSchedules(spec);
    return { spec, warnings: [...warnings, ...restartWarnings(cluster.spec, spec)] };
  }
  const only = refusals.find(({ found }) => found.length === all.length);
  throw only === undefined ? notPossible(all) : new Problem(only.code, only.detail, { errors: all });
}

function notPossible(errors: readonly FieldError[]): Problem {
  return new Problem("invalid-request", "The spec cannot be carried out; errors says where and why.", {
    errors,
  });
}

function restartWarnings(before: ClusterSpec, after: ClusterSpec): string[] {
  const names = restartParameters(before, after).map((one) => one.name);
  if (names.length === 0) return [];
  return [
    `${names.join(", ")} ${names.length === 1 ? "takes" : "take"} a restart of PostgreSQL: members say pendingRestart until POST …/restart with onlyPendingRestart, or send this with ?apply=restart.`,
  ];
}

export interface ConvergeIntent {
  readonly verb: string;
  readonly summary: string;
  readonly spec: ClusterSpec;
  readonly warnings: readonly string[];
  readonly apply: ConvergeRequest["apply"];
  readonly replace: ConvergeRequest["replace"];
}

/** Writes the intent and starts the converge, or with `dryRun` answers its plan. */
export async function startConverge(
  context: ApiContext,
  call: Call<unknown, { dryRun: boolean }>,
  cluster: Cluster,
  intent: ConvergeIntent,
): Promise<Answer> {
  const { spec, apply, replace } = intent;
  const isChanged = !isSameSpec(cluster.spec, spec);
  const request: ConvergeRequest = {
    apply,
    replace,
    dropExtensions: cluster.spec.extensions.filter((name) => !spec.extensions.includes(name)),
    previousSpec: isChanged ? cluster.spec : null,
    isRecordOnly: isChanged && replace === null && apply === "reload" && isForTheRecord(cluster.spec, spec),
  };
  if (!request.isRecordOnly) refusePaused(cluster, intent.verb);
  const preview = call.query.dryRun ? await planOf(context, cluster, spec, request) : null;
  return startOperation(context, call, cluster, {
    kind: "converge-cluster",
    status: "updating",
    summary: intent.summary,
    interrupts: preview?.interrupts ?? [],
    warnings: [...intent.warnings, ...(preview?.warnings ?? [])],
    request: asJson(request),
    ...(isChanged ? { spec } : {}),
    ...(preview === null ? {} : { preview: preview.body }),
  });
}

/** As the store keeps it. */
function asJson(request: ConvergeRequest): Record<string, z.core.util.JSONType> {
  return z
    .record(z.string(), z.json())
    .parse(JSON.parse(JSON.stringify(convergeRequestSchema.parse(request))));
}

interface PlannedChanges {
  readonly interrupts: readonly string[];
  readonly warnings: readonly string[];
  readonly body: Pick<DryRun, "spec" | "nodesPerZone" | "changes">;
}

async function planOf(
  context: ApiContext,
  cluster: Cluster,
  spec: ClusterSpec,
  request: ConvergeRequest,
): Promise<PlannedChanges> {
  const zones = Object.keys(context.settings.subnets).toSorted();
  const leader = request.isRecordOnly ? null : await leaderOf(context, cluster);
  const { changes, interrupts, nodesPerZone, blocked } = previewConverge(
    cluster,
    { spec, request },
    { zones, leader },
  );
  return {
    interrupts,
    warnings: blocked === null ? [] : [`It would end before it is done. ${blocked}`],
    body: { spec, nodesPerZone: { ...nodesPerZone }, changes: [...changes] },
  };
}

/** A plan for a cluster that nobody can ask is a plan for one whose first node leads. */
async function leaderOf({ observer, log }: ApiContext, cluster: Cluster): Promise<string | null> {
  try {
    return (await observer.observe(cluster)).shards[0]?.leader ?? null;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    log("info", "a plan is made without knowing the leader", { clusterId: cluster.id, code: error.code });
    return null;
  }
}
