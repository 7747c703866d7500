import { Duration } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { FunctionEnvironment } from "../constructs/control-plane-function.ts";
import { Reconciler } from "../constructs/reconciler.ts";
import { constructId, type Holdings, scheduled, type Workflows } from "./holdings.ts";

/** Reconcilers that start operations, or look after the functions that carry them out; the others learn of none. */
const knowingReconcilers: readonly string[] = [
  "stuck-operations",
  "expirations",
  "self-healing",
  "certificates",
  "scheduled-backups",
  "retired-versions",
];

interface Environments {
  readonly environment: FunctionEnvironment;
  /** The same, which also knows what carries out operations. */
  readonly knowing: FunctionEnvironment;
  readonly orphanGraceSeconds: number;
}

/** The functions of `functions/reconcilers`, their timers and what each may do. */
export function addReconcilers(
  scope: Construct,
  { environment, knowing, orphanGraceSeconds }: Environments,
  holdings: Holdings,
  workflows: Workflows,
): void {
  for (const source of environment.build.functions.filter(({ kind }) => kind === "reconciler")) {
    const reconciler = new Reconciler(scope, constructId(source), {
      environment: knowingReconcilers.includes(source.name) ? knowing : environment,
      source,
      ...sweepsOf(source.name, orphanGraceSeconds),
    });
    // What it looks after is on record at Lambda alone.
    if (source.name !== "retired-versions") holdings.table.grantReadWriteItems(reconciler);
    grantReconciler(source.name, reconciler, holdings, workflows);
  }
}

/** What each repairs, or only looks at. */
function grantReconciler(
  name: string,
  reconciler: Reconciler,
  { backups, schedules, secrets, fleet, identity, document }: Holdings,
  workflows: Workflows,
): void {
  switch (name) {
    case "stuck-operations":
      for (const workflow of workflows.values()) {
        workflow.grantStart(reconciler);
        workflow.grantFind(reconciler);
        workflow.grantStop(reconciler);
      }
      return;
    case "expirations":
      for (const workflow of workflows.values()) workflow.grantStart(reconciler);
      return;
    case "self-healing":
      workflows.get("converge-cluster")?.grantStart(reconciler);
      fleet.grantSeeNodes(reconciler);
      document.grantRunCommands(reconciler);
      return;
    case "orphans":
      fleet.grantRemoveNodes(reconciler);
      identity.grantRemove(reconciler);
      identity.grantList(reconciler);
      secrets.grantRemove(reconciler);
      secrets.grantList(reconciler);
      schedules.grantRemove(reconciler);
      schedules.grantList(reconciler);
      return;
    case "deleted-clusters":
      backups.grantRemoveBackups(reconciler);
      secrets.grantReadStoreKeys(reconciler);
      secrets.grantRemove(reconciler);
      return;
    case "certificates":
      workflows.get("rotate-certificates")?.grantStart(reconciler);
      return;
    case "scheduled-backups":
      for (const kind of scheduled) workflows.get(kind)?.grantStart(reconciler);
      workflows.get("converge-cluster")?.grantStart(reconciler);
      return;
    case "retired-versions":
      for (const workflow of workflows.values()) workflow.grantRemoveVersions(reconciler);
      return;
    case "cluster-health":
      fleet.grantSeeNodes(reconciler);
      document.grantRunCommands(reconciler);
      return;
    default:
      throw new Error(`infra/control-plane/reconcilers.ts does not say what reconciler ${name} may do`);
  }
}

interface Sweeps {
  readonly every: Duration;
  readonly timeout?: Duration;
}

/**
 * Deployments leave a version each, and it takes hundreds of them to matter; but where they come every day, a night is
 * all that a version has time to be seen as retired. A sweep begins no removal after a minute.
 */
const versionSweeps: Sweeps = { every: Duration.hours(3), timeout: Duration.minutes(2) };

function sweepsOf(name: string, orphanGraceSeconds: number): Sweeps {
  switch (name) {
    case "orphans":
      return orphanSweeps(orphanGraceSeconds);
    case "retired-versions":
      return versionSweeps;
    default:
      return { every: Duration.minutes(1) };
  }
}

/**
 * It lists everything that there is, which takes minutes where there are thousands of clusters and counts against rates
 * that others share: some looks within the time that an orphan is left alone are enough.
 */
function orphanSweeps(graceSeconds: number): Sweeps {
  const minutes = Math.min(10, Math.max(1, Math.floor(graceSeconds / 360)));
  const every = Duration.minutes(minutes);
  return minutes < 10 ? { every } : { every, timeout: Duration.minutes(9) };
}
