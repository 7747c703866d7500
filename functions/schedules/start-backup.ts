import { LambdaExecutions } from "@pgherd/layers/aws/executions";
import { DynamoStore } from "@pgherd/layers/aws/store";
import { firedScheduleSchema } from "@pgherd/layers/domain";
import { log, readFunctionEnvironment } from "@pgherd/layers/runtime";
import { startScheduledProof } from "./start-backup/proofs.ts";
import { startScheduledBackup } from "./start-backup/start.ts";

const { settings, table } = readFunctionEnvironment();
const world = {
  store: new DynamoStore(table),
  executions: new LambdaExecutions(settings),
  zones: Object.keys(settings.subnets).toSorted(),
  now: () => new Date(),
  log,
};

/** What a cluster's schedules start. They fire at least once, perhaps twice: what they start begins once. */
export const handler = async (event: unknown): Promise<void> => {
  const { clusterId, kind, scheduledAt: at } = firedScheduleSchema.parse(event);
  if (kind === "drill" || kind === "verify") await startScheduledProof(world, clusterId, { kind, at });
  else await startScheduledBackup(world, clusterId, { kind, at, attempt: 0 });
};
