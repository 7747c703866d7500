import { Duration } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { scheduleTarget } from "../constructs/cluster-schedules.ts";
import { ControlPlaneFunction, type FunctionEnvironment } from "../constructs/control-plane-function.ts";
import { constructId, type Holdings, scheduled, type Workflows } from "./holdings.ts";

/** A few calls of DynamoDB and one of Lambda. */
const timeout = Duration.seconds(30);
const memoryMiB = 512;

/** The one function of `functions/schedules`, which the scheduler calls with the role of the schedules. */
export function addScheduleTarget(
  scope: Construct,
  environment: FunctionEnvironment,
  { table }: Holdings,
  workflows: Workflows,
): void {
  const sources = environment.build.functions.filter(({ kind }) => kind === "schedule");
  const [source, ...others] = sources;
  if (source?.name !== scheduleTarget || others.length > 0) {
    throw new Error(
      `functions/schedules has ${sources.map(({ name }) => name).join(", ") || "nothing"}, and schedules start ${scheduleTarget} alone`,
    );
  }
  const target = new ControlPlaneFunction(scope, constructId(source), {
    environment,
    source,
    description: "Starts what a cluster's schedule says",
    timeout,
    memoryMiB,
  });
  environment.failures?.collect(target.function);
  table.grantReadWriteItems(target);
  for (const kind of scheduled) workflows.get(kind)?.grantStart(target);
}
