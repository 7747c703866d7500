import { Duration } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { FunctionEnvironment } from "../constructs/control-plane-function.ts";
import { Reconciler } from "../constructs/reconciler.ts";
import { constructId, type Holdings, scheduled, type Workflows } from "./holdings.ts";

/** Reconcilers that start operations; the others do not learn of any. */
const startingReconcilers: readonly string[] = [
  "stuck-operations",
  "expirations",
  "self-healing",
  "certificates",
  "scheduled-backups",
];

interface Environments {
  readonly environment: FunctionEnvironment;
  /** The same, which also knows what starts operations. */
  readonly starting: FunctionEnvironment;
  readonly orphanGraceSeconds: number;
}

/** The functions of `functions/reconcilers`, their timers and what each may do. */
export function addReconcilers(
  scope: Construct,
  { environment, starting, orphanGraceSeconds }: Environments,
  holdings: Holdings,
  workflows: Workflows,
): void {
  for (const source of environment.build.functions.filter(({ kind }) => kind === "reconciler")) {
    const reconciler = new Reconciler(scope, constructId(source), {
      environment: startingReconcilers.includes(source.name) ? starting : environment,
      source,
      every: Duration.minutes(1),
      ...(source.name === "orphans" ? orphanSweeps(orphanGraceSeconds) : {}),
    });
    holdings.table.grantReadWriteItems(reconciler);
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
    case "cluster-health":
      fleet.grantSeeNodes(reconciler);
      document.grantRunCommands(reconciler);
      return;
    default:
      throw new Error(`infra/control-plane/reconcilers.ts does not say what reconciler ${name} may do`);
  }
}

/**
 * It lists everything that there is, which takes minutes where there are thousands of clusters and counts against rates
 * that others share: some looks within the time that an orphan is left alone are enough.
 */
function orphanSweeps(graceSeconds: number): { readonly every: Duration; readonly timeout?: Duration } {
  const minutes = Math.min(10, Math.max(1, Math.floor(graceSeconds / 360)));
  const every = Duration.minutes(minutes);
  return minutes < 10 ? { every } : { every, timeout: Duration.minutes(9) };
}
