import { SsmNodeCommands } from "@pgherd/layers/aws/commands";
import { Ec2Compute } from "@pgherd/layers/aws/compute";
import { DynamoStore } from "@pgherd/layers/aws/store";
import { log, publishMetrics, readFunctionEnvironment } from "@pgherd/layers/runtime";
import { ClusterWatch } from "./cluster-health/watch.ts";

const { settings, table } = readFunctionEnvironment();
const watch = new ClusterWatch({
  environment: settings.environment,
  store: new DynamoStore(table),
  commands: new SsmNodeCommands(settings),
  compute: new Ec2Compute(settings),
  now: () => new Date(),
  log,
  publish: publishMetrics,
});

/** Every minute, and for nearly all of it: a timer's least is a minute, and trouble is told within seconds. */
export const handler = async (): Promise<void> => {
  await watch.minute();
};
