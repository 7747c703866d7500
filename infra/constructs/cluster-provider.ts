import { Duration } from "aws-cdk-lib";
import { Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { CfnFunction, Function as LambdaFunction, Runtime } from "aws-cdk-lib/aws-lambda";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import { CfnStateMachine } from "aws-cdk-lib/aws-stepfunctions";
import { Provider } from "aws-cdk-lib/custom-resources";
import { Construct } from "constructs";
import type { FunctionSource } from "../build/tree.ts";
import { acknowledge, acknowledgeWildcard, allow } from "./allow.ts";
import { ControlPlaneFunction, type FunctionEnvironment } from "./control-plane-function.ts";
import { clusterProviderName, logGroupName, resourceName } from "./names.ts";

/** Operations take from half a minute to hours; nobody who deploys notices a few seconds. */
const lookEvery = Duration.seconds(15);
/** CloudFormation waits an hour for an answer; the functions themselves give up ten minutes before. */
const totalTimeout = Duration.minutes(58);
/** A few calls of DynamoDB and one of Lambda, and a try of a store that somebody else has. */
const timeout = Duration.seconds(60);
const memoryMiB = 512;

/**
 * What makes clusters that are resources of templates: CDK's provider framework asks one function to begin and another
 * one whether it is done, until it is.
 */
export class ClusterProvider extends Construct {
  /** What asks of the table and starts operations. */
  readonly functions: readonly ControlPlaneFunction[];
  readonly #environment: FunctionEnvironment;

  constructor(
    scope: Construct,
    id: string,
    props: {
      readonly environment: FunctionEnvironment;
      readonly begin: FunctionSource;
      readonly look: FunctionSource;
    },
  ) {
    super(scope, id);
    this.#environment = props.environment;
    const begin = this.#addFunction("Begin", props.begin, "Begins what a template says of a cluster");
    const look = this.#addFunction("Await", props.look, "Whether what a template says of a cluster is so");
    this.functions = [begin, look];
    const { name } = props.environment;
    const provider = new Provider(this, "Framework", {
      onEventHandler: begin.function,
      isCompleteHandler: look.function,
      queryInterval: lookEvery,
      totalTimeout,
      // Templates of others find it by its name.
      providerFunctionName: resourceName(name, clusterProviderName),
      logGroup: LogGroup.fromLogGroupName(this, "Log", logGroupName(name, clusterProviderName)),
      frameworkOnEventRole: this.#addFrameworkRole("BeginRole"),
      frameworkCompleteAndTimeoutRole: this.#addFrameworkRole("AwaitRole"),
      disableWaiterStateMachineLogging: true,
    });
    this.#fit(provider);
  }

  #addFunction(id: string, source: FunctionSource, description: string): ControlPlaneFunction {
    return new ControlPlaneFunction(this, id, {
      environment: this.#environment,
      source,
      description,
      timeout,
      memoryMiB,
    });
  }

  /** The framework's own comes with a policy of AWS's, which reaches every log group. */
  #addFrameworkRole(id: string): Role {
    const { name } = this.#environment;
    const role = new Role(this, id, {
      path: `/pgherd/${name}/`,
      assumedBy: new ServicePrincipal("lambda.amazonaws.com"),
      description: `pgherd ${name}: asks the functions of clusters in templates`,
    });
    const logGroup = LogGroup.fromLogGroupName(this, `${id}Log`, logGroupName(name, clusterProviderName));
    allow(role, {
      actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
      resources: [logGroup.logGroupArn],
      wildcard: "Lambda names the streams of the framework's own log group.",
    });
    return role;
  }

  /** The framework's functions run like ours, and what its policies and its state machine are like is its own. */
  #fit(provider: Provider): void {
    for (const part of provider.node.findAll()) {
      if (part instanceof CfnFunction) {
        part.architectures = [this.#environment.architecture.name];
        part.runtime = Runtime.NODEJS_24_X.name;
      }
      if (part instanceof CfnStateMachine) {
        acknowledge(part, "AwsSolutions-SF1", "It asks one function until that is done; the functions log.");
        acknowledge(part, "AwsSolutions-SF2", "It asks one function until that is done; ours are traced.");
      }
    }
    for (const part of this.node.findAll()) {
      if (!(part instanceof LambdaFunction)) continue;
      const reason =
        "CDK lets whoever may invoke a function invoke its versions, too, and this one has none.";
      acknowledgeWildcard(this, `${part.functionArn}:*`, reason);
    }
  }
}
