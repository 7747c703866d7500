import { DynamoStore } from "@pgherd/layers/aws/store";
import type { EnvironmentSettings } from "@pgherd/layers/domain";
import type { Compute, Executions, NodeCommandPort, Repositories } from "@pgherd/layers/ports";
import { createObserver, log, readFunctionEnvironment } from "@pgherd/layers/runtime";
import type { ApiContext } from "./context.ts";

/** The routes' context as this function's environment has it: for whatever carries calls out. */
export function openApiContext(): ApiContext {
  const { settings, table } = readFunctionEnvironment();
  const commands = lazyCommands(settings);
  return {
    settings,
    store: new DynamoStore(table),
    executions: lazyExecutions(settings),
    observer: createObserver(commands),
    commands,
    repositories: lazyRepositories(settings),
    compute: lazyCompute(settings),
    log,
  };
}

/** Only what changes something needs Lambda: most calls read, and their cold starts do without its client. */
function lazyExecutions(settings: EnvironmentSettings): ApiContext["executions"] {
  let loading: Promise<Executions> | undefined;
  return {
    start: async (kind, input) => {
      loading ??= import("@pgherd/layers/aws/executions").then(
        ({ LambdaExecutions }) => new LambdaExecutions(settings),
      );
      return (await loading).start(kind, input);
    },
  };
}

/** Only a topology needs SSM: its client is loaded when the first one is asked for, which makes cold starts shorter. */
function lazyCommands(settings: EnvironmentSettings): ApiContext["commands"] {
  let loading: Promise<NodeCommandPort> | undefined;
  return {
    run: async (target, verb, input) => {
      loading ??= import("@pgherd/layers/aws/commands").then(
        ({ SsmNodeCommands }) => new SsmNodeCommands(settings),
      );
      return (await loading).run(target, verb, input);
    },
  };
}

/** As SSM's: only a restore needs S3, and a cluster with a store of its own. */
function lazyRepositories(settings: EnvironmentSettings): ApiContext["repositories"] {
  let opening: Promise<Repositories> | undefined;
  const open = (): Promise<Repositories> => {
    opening ??= Promise.all([
      import("@pgherd/layers/aws/repositories"),
      import("@pgherd/layers/aws/secrets"),
    ]).then(
      ([{ S3Repositories }, { ParameterStoreSecrets }]) =>
        new S3Repositories(settings, new ParameterStoreSecrets(settings)),
    );
    return opening;
  };
  return {
    timelines: async (place) => (await open()).timelines(place),
    wal: async (place, from) => (await open()).wal(place, from),
    probe: async (store) => (await open()).probe(store),
  };
}

/** As SSM's: only a delete needs EC2, and a cluster that names security groups. */
function lazyCompute(settings: EnvironmentSettings): ApiContext["compute"] {
  let opening: Promise<Compute> | undefined;
  const open = (): Promise<Compute> => {
    opening ??= import("@pgherd/layers/aws/compute").then(({ Ec2Compute }) => new Ec2Compute(settings));
    return opening;
  };
  return {
    unknownSecurityGroups: async (ids) => (await open()).unknownSecurityGroups(ids),
    securityGroupUse: async (clusterId) => (await open()).securityGroupUse(clusterId),
  };
}
