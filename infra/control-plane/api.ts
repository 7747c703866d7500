import { Duration } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { EnvironmentConfig } from "../config/schema.ts";
import { ControlPlaneFunction, type FunctionEnvironment } from "../constructs/control-plane-function.ts";
import { EnvironmentApi } from "../constructs/environment-api.ts";
import type { Holdings, Workflows } from "./holdings.ts";

/** An answer that takes longer is lost: API Gateway gives up after 30 s. */
const timeout = Duration.seconds(29);
/** About half a processor: start and answers in tens of milliseconds. */
const memoryMiB = 1024;

/** The one function of `functions/api`, its gateway and what it may do. */
export function addApi(
  scope: Construct,
  environment: FunctionEnvironment,
  { name, access, api }: EnvironmentConfig,
  { table, document, backups, fleet, secrets }: Holdings,
  workflows: Workflows,
): EnvironmentApi {
  const source = environment.build.functions.find(({ kind }) => kind === "api");
  if (source === undefined) {
    throw new Error("functions/api/index.ts is not there: without it an environment has no API");
  }
  const handler = new ControlPlaneFunction(scope, "ApiFunction", {
    environment,
    source,
    description: "pgherd's HTTP API",
    timeout,
    memoryMiB,
    concurrency: api.concurrency,
  });
  table.grantReadWriteItems(handler);
  // Topology is asked of a node when it is asked for.
  document.grantRunCommands(handler);
  // A restore is checked against what the archive has.
  backups.grantListBackups(handler);
  secrets.grantReadStoreKeys(handler);
  // Groups that a spec names, and rules that name a cluster's.
  fleet.grantSeeSecurityGroups(handler);
  for (const workflow of workflows.values()) workflow.grantStart(handler);
  return new EnvironmentApi(scope, "Api", { environment: name, access, handler, domain: api.domain });
}
