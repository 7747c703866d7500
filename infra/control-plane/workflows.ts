import type { Construct } from "constructs";
import { type OperationKind, operationKindSchema } from "../../layers/domain/operation/operation.ts";
import type { FunctionSource } from "../build/tree.ts";
import type { FunctionEnvironment } from "../constructs/control-plane-function.ts";
import { DurableWorkflow } from "../constructs/durable-workflow.ts";
import { constructId, type Holdings, type Workflows } from "./holdings.ts";

/** The operation that another one begins and waits for: a delete takes a final backup. */
const starts = ({ name }: FunctionSource): OperationKind | null =>
  name === "delete-cluster" ? "backup-cluster" : null;

/** The functions of `functions/workflows`, one for each kind of operation, and what each may do. */
export function addWorkflows(
  scope: Construct,
  environment: FunctionEnvironment,
  holdings: Holdings,
): Workflows {
  const workflows = new Map<OperationKind, DurableWorkflow>();
  const sources = environment.build.functions.filter(({ kind }) => kind === "workflow");
  const order = [...sources].sort(
    (left, right) => Number(starts(left) !== null) - Number(starts(right) !== null),
  );
  for (const source of order) {
    const kind = operationKindSchema.parse(source.name);
    const begun = starts(source);
    const other = begun === null ? undefined : workflows.get(begun);
    const own = begun === null || other === undefined ? {} : { [begun]: other.aliasArn };
    const knowing = { ...environment, settings: { ...environment.settings, workflows: own } };
    const workflow = new DurableWorkflow(scope, constructId(source), { environment: knowing, source });
    holdings.table.grantReadWriteItems(workflow);
    grantOperation(kind, workflow, holdings);
    other?.grantStart(workflow);
    workflows.set(kind, workflow);
  }
  return workflows;
}

/** What each operation does to the world. */
function grantOperation(kind: OperationKind, workflow: DurableWorkflow, holdings: Holdings): void {
  const { backups, schedules, secrets, fleet, identity, document } = holdings;
  switch (kind) {
    case "create-cluster":
    case "restore-cluster":
      grantMaking(workflow, holdings);
      backups.grantRemoveBackups(workflow);
      secrets.grantReadStoreKeys(workflow);
      return;
    case "undelete-cluster":
      grantMaking(workflow, holdings);
      return;
    // What it makes has no schedules.
    case "drill-backup":
      fleet.grantMakeNodes(workflow);
      identity.grantRemove(workflow);
      secrets.grantMakeAndRead(workflow);
      secrets.grantRemove(workflow);
      document.grantRunCommands(workflow);
      return;
    case "delete-cluster":
      fleet.grantRemoveNodes(workflow);
      identity.grantRemove(workflow);
      secrets.grantRemove(workflow);
      schedules.grantRemove(workflow);
      document.grantRunCommands(workflow);
      return;
    case "converge-cluster":
    case "recover-cluster":
      fleet.grantChangeNodes(workflow);
      secrets.grantMakeAndRead(workflow);
      document.grantRunCommands(workflow);
      schedules.grantApply(workflow);
      return;
    case "start-cluster":
      fleet.grantMakeNodes(workflow);
      fleet.grantStopAndStartNodes(workflow);
      secrets.grantMakeAndRead(workflow);
      document.grantRunCommands(workflow);
      return;
    case "stop-cluster":
      fleet.grantStopAndStartNodes(workflow);
      fleet.grantSeeNodes(workflow);
      document.grantRunCommands(workflow);
      return;
    case "rotate-credentials":
    case "rotate-certificates":
      secrets.grantMakeAndRead(workflow);
      secrets.grantRemove(workflow);
      document.grantRunCommands(workflow);
      return;
    case "switchover-cluster":
    case "failover-cluster":
    case "restart-cluster":
    case "reinitialize-node":
    case "pause-cluster":
    case "resume-cluster":
    case "restore-in-place":
    case "rollback-restore":
    case "confirm-restore":
    case "backup-cluster":
    case "delete-backup":
    case "create-restore-point":
    case "verify-backups":
      document.grantRunCommands(workflow);
      return;
    case "load-database":
      // The backup may be another cluster's.
      identity.grantPermit(workflow);
      document.grantRunCommands(workflow);
      return;
  }
}

function grantMaking(workflow: DurableWorkflow, holdings: Holdings): void {
  const { schedules, secrets, fleet, identity, document } = holdings;
  fleet.grantMakeNodes(workflow);
  identity.grantRemove(workflow);
  secrets.grantMakeAndRead(workflow);
  secrets.grantRemove(workflow);
  document.grantRunCommands(workflow);
  schedules.grantApply(workflow);
}
