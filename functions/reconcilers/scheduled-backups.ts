import { LambdaExecutions } from "@pgherd/layers/aws/executions";
import { DynamoStore } from "@pgherd/layers/aws/store";
import { log, readFunctionEnvironment } from "@pgherd/layers/runtime";
import { beginMissedBackups } from "./scheduled-backups/reconcile.ts";

const { settings, table } = readFunctionEnvironment();
const world = {
  store: new DynamoStore(table),
  executions: new LambdaExecutions(settings),
  zones: Object.keys(settings.subnets).toSorted(),
  now: () => new Date(),
  log,
};

/** Every minute: backups that were scheduled and have not begun, or have failed, are begun. */
export const handler = async (): Promise<void> => {
  await beginMissedBackups(world);
};
