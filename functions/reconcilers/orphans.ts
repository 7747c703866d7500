import { AwsInventory } from "@pgherd/layers/aws/inventory";
import { DynamoStore } from "@pgherd/layers/aws/store";
import { log, readFunctionEnvironment } from "@pgherd/layers/runtime";
import { reconcileOrphans } from "./orphans/reconcile.ts";

const { region, settings, table } = readFunctionEnvironment();
const world = {
  store: new DynamoStore(table),
  inventory: new AwsInventory({ region, settings }),
  graceMs: settings.orphanGraceSeconds * 1000,
  now: () => new Date(),
  log,
};

/** Some times within the grace: what carries our tags and belongs to nothing on record is reported, and later removed. */
export const handler = async (): Promise<void> => {
  await reconcileOrphans(world);
};
