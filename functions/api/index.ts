import { LambdaExecutions } from "@pgherd/layers/aws/executions";
import { DynamoStore } from "@pgherd/layers/aws/store";
import type { NodeCommandPort } from "@pgherd/layers/ports";
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

export const handler = lambdaHandler(
  createApi({
    settings,
    store: new DynamoStore(table),
    executions: new LambdaExecutions(settings),
    observer: createObserver(commands),
    commands,
    log,
  }),
);
