import { LambdaExecutions } from "@pgherd/layers/aws/executions";
import { DynamoStore } from "@pgherd/layers/aws/store";
import { log, readFunctionEnvironment } from "@pgherd/layers/runtime";
import { renewCertificates } from "./certificates/reconcile.ts";

const { settings, table } = readFunctionEnvironment();
const world = {
  store: new DynamoStore(table),
  executions: new LambdaExecutions(settings),
  now: () => new Date(),
  log,
};

/** Every minute: certificates are renewed long before they end. */
export const handler = async (): Promise<void> => {
  await renewCertificates(world);
};
