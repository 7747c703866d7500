import { LambdaExecutions } from "@pgherd/layers/aws/executions";
import { DynamoStore } from "@pgherd/layers/aws/store";
import { log, readFunctionEnvironment } from "@pgherd/layers/runtime";
import { endWhatIsOver } from "./expirations/expire.ts";

const { settings, table } = readFunctionEnvironment();
const world = {
  store: new DynamoStore(table),
  executions: new LambdaExecutions(settings),
  now: () => new Date(),
  log,
};

/** Every minute: pauses whose time is over, logins that another took the turn of, what a restore keeps. */
export const handler = async (): Promise<void> => {
  await endWhatIsOver(world);
};
