import { LambdaExecutions } from "@pgherd/layers/aws/executions";
import { DynamoStore } from "@pgherd/layers/aws/store";
import { log, publishMetrics, readFunctionEnvironment } from "@pgherd/layers/runtime";
import { reconcileStuckOperations } from "./stuck-operations/reconcile.ts";

const { settings, table } = readFunctionEnvironment();
const world = {
  environment: settings.environment,
  store: new DynamoStore(table),
  executions: new LambdaExecutions(settings),
  now: () => new Date(),
  log,
  publish: publishMetrics,
};

/** Every minute: operations whose execution never started, or ended without ending them, or that get nowhere. */
export const handler = async (): Promise<void> => {
  await reconcileStuckOperations(world);
};
