import { S3Repositories } from "@pgherd/layers/aws/repositories";
import { ParameterStoreSecrets } from "@pgherd/layers/aws/secrets";
import { DynamoStore } from "@pgherd/layers/aws/store";
import { log, readFunctionEnvironment } from "@pgherd/layers/runtime";
import { removeWhatIsOver } from "./deleted-clusters/reconcile.ts";

const { settings, table } = readFunctionEnvironment();
const secrets = new ParameterStoreSecrets(settings);
const world = {
  environment: settings.environment,
  store: new DynamoStore(table),
  secrets,
  repositories: new S3Repositories(settings, secrets),
  now: () => new Date(),
  log,
};

/** Every minute: what was kept of deleted clusters, once its time is over. */
export const handler = async (): Promise<void> => {
  await removeWhatIsOver(world);
};
