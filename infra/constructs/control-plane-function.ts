import path from "node:path";
import { Annotations, ArnFormat, type Duration, Stack } from "aws-cdk-lib";
import { type IGrantable, type IPrincipal, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import {
  type Architecture,
  Code,
  type DurableConfig,
  Function as LambdaFunction,
  type LayerVersion,
  Runtime,
  Tracing,
} from "aws-cdk-lib/aws-lambda";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import type { EnvironmentSettings } from "../../layers/domain/environment.ts";
import type { BuildOutput } from "../build/build.ts";
import type { FunctionSource } from "../build/tree.ts";
import { acknowledgeWildcard, allow } from "./allow.ts";
import type { FailureQueue } from "./failure-queue.ts";
import { logGroupName, resourceName } from "./names.ts";

/** What every function of an environment shares. */
export interface FunctionEnvironment {
  readonly name: string;
  readonly build: BuildOutput;
  readonly layer: LayerVersion;
  readonly architecture: Architecture;
  readonly tableName: string;
  readonly settings: EnvironmentSettings;
  /** Where events go that no function could take; null: such a queue is nobody's. */
  readonly failures: FailureQueue | null;
}

export interface ControlPlaneFunctionProps {
  readonly environment: FunctionEnvironment;
  readonly source: FunctionSource;
  readonly description: string;
  readonly timeout: Duration;
  readonly memoryMiB: number;
  readonly durable?: DurableConfig;
  /** Most invocations at once, taken out of what the account's functions share; null: no cap. */
  readonly concurrency?: number | null;
}

/** One function of the control plane: a bundle from the tree, a role of its own that starts with no rights. */
export class ControlPlaneFunction extends Construct implements IGrantable {
  readonly function: LambdaFunction;
  readonly grantPrincipal: IPrincipal;

  constructor(scope: Construct, id: string, props: ControlPlaneFunctionProps) {
    super(scope, id);
    const { environment, source } = props;
    const logGroup = LogGroup.fromLogGroupName(this, "LogGroup", logGroupName(environment.name, source.name));
    const role = new Role(this, "Role", {
      path: `/pgherd/${environment.name}/`,
      assumedBy: new ServicePrincipal("lambda.amazonaws.com"),
      description: `pgherd ${environment.name}: ${source.name}`,
    });
    this.grantPrincipal = role;
    allow(role, {
      actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
      resources: [logGroup.logGroupArn],
      wildcard: "Lambda names the streams of the function's own log group.",
    });
    this.function = new LambdaFunction(this, "Function", {
      functionName: resourceName(environment.name, source.name),
      description: props.description,
      runtime: Runtime.NODEJS_24_X,
      architecture: environment.architecture,
      handler: "index.handler",
      code: Code.fromAsset(path.join(environment.build.directory, "functions", source.name)),
      layers: [environment.layer],
      role,
      logGroup,
      timeout: props.timeout,
      memorySize: props.memoryMiB,
      environment: {
        PGHERD_ENVIRONMENT: environment.name,
        PGHERD_TABLE: environment.tableName,
        PGHERD_SETTINGS: Stack.of(this).toJsonString(environment.settings),
      },
      ...(props.durable === undefined ? {} : { durableConfig: props.durable }),
      ...(typeof props.concurrency === "number" ? { reservedConcurrentExecutions: props.concurrency } : {}),
      tracing: Tracing.ACTIVE,
    });
    acknowledgeWildcard(role, "*", "X-Ray's actions know no resources.");
    if (props.durable !== undefined) {
      const notice = "aws-lambda:Function.DurableConfig";
      Annotations.of(this.function).acknowledgeInfo(
        notice,
        "Workflows are durable from their first deployment",
      );
      this.#allowCheckpoints(environment.name, source.name);
    }
  }

  /** An execution is a part of a version of its function: the ARN needs a qualifier to match. */
  #allowCheckpoints(environmentName: string, name: string): void {
    const functionArn = Stack.of(this).formatArn({
      service: "lambda",
      resource: "function",
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      // By name: by reference, the function and its role's policy would wait for each other.
      resourceName: `${resourceName(environmentName, name)}:*`,
    });
    allow(this, {
      actions: ["lambda:CheckpointDurableExecution", "lambda:GetDurableExecutionState"],
      resources: [functionArn],
      wildcard: "Every version of the function itself: an execution stays on the one that it began with.",
    });
  }
}
