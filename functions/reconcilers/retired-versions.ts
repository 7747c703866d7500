import { LambdaVersions } from "@pgherd/layers/aws/versions";
import { operationKindSchema } from "@pgherd/layers/domain";
import { log, readFunctionEnvironment } from "@pgherd/layers/runtime";
import { removeRetiredVersions } from "./retired-versions/reconcile.ts";

const { settings } = readFunctionEnvironment();
const world = {
  kinds: operationKindSchema.options.filter((kind) => settings.workflows[kind] !== undefined),
  versions: new LambdaVersions(settings),
  now: () => new Date(),
  log,
};

/** Some times a night: versions of workflows that deployments have left behind and that nothing runs on any more. */
export const handler = async (): Promise<void> => {
  await removeRetiredVersions(world);
};
