import { LambdaExecutions } from "@pgherd/layers/aws/executions";
import { DynamoStore } from "@pgherd/layers/aws/store";
import type { NodeCommandPort, Repositories } from "@pgherd/layers/ports";
import { createObserver, log, readFunctionEnvironment } from "@pgherd/layers/runtime";
import { lambdaHandler } from "@pgherd/layers/runtime/http";
import { createApi } from "./app.ts";

const { settings, table } = readFunctionEnvironment();

/** Only a topology needs SSM: its client is loaded when the first one is asked for, which makes cold starts shorter. */
let loading: Promise<NodeCommandPort> | undefined;
const commands: Pick<NodeCommandPort, "run"> = {
  run: async (target, verb, input) => {
    loading ??= import("@pgherd/layers/aws/commands").then(
      ({ SsmNodeCommands }) => new SsmNodeCommands(settings),
    );
    return (await loading).run(target, verb, input);
  },
};

/** As SSM's: only a restore needs S3, and a cluster with a store of its own. */
let opening: Promise<Repositories> | undefined;
function openRepositories(): Promise<Repositories> {
  opening ??= Promise.all([
    import("@pgherd/layers/aws/repositories"),
    import("@pgherd/layers/aws/secrets"),
  ]).then(
    ([{ S3Repositories }, { ParameterStoreSecrets }]) =>
      new S3Repositories(settings, new ParameterStoreSecrets(settings)),
  );
  return opening;
}
const repositories: Pick<Repositories, "timelines" | "wal" | "probe"> = {
  timelines: async (place) => (await openRepositories()).timelines(place),
  wal: async (place, from) => (await openRepositories()).wal(place, from),
  probe: async (store) => (await openRepositories()).probe(store),
};

export const handler = lambdaHandler(
  createApi({
    settings,
    store: new DynamoStore(table),
    executions: new LambdaExecutions(settings),
    observer: createObserver(commands),
    commands,
    repositories,
    log,
  }),
);
