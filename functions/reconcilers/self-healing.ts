import { SsmNodeCommands } from "@pgherd/layers/aws/commands";
import { Ec2Compute } from "@pgherd/layers/aws/compute";
import { LambdaExecutions } from "@pgherd/layers/aws/executions";
import { DynamoStore } from "@pgherd/layers/aws/store";
import { log, readFunctionEnvironment } from "@pgherd/layers/runtime";
import { healNodes } from "./self-healing/reconcile.ts";

const { settings, table } = readFunctionEnvironment();
const world = {
  store: new DynamoStore(table),
  executions: new LambdaExecutions(settings),
  commands: new SsmNodeCommands(settings),
  compute: new Ec2Compute(settings),
  now: () => new Date(),
  log,
};

/** Every minute: nodes that have given no sign of life for their time are started again or replaced. */
export const handler = async (): Promise<void> => {
  await healNodes(world);
};
