import { Duration } from "aws-cdk-lib";
import { Rule, Schedule } from "aws-cdk-lib/aws-events";
import { LambdaFunction } from "aws-cdk-lib/aws-events-targets";
import type { IGrantable, IPrincipal } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import type { FunctionSource } from "../build/tree.ts";
import { ControlPlaneFunction, type FunctionEnvironment } from "./control-plane-function.ts";

/** The watch over the clusters looks for nearly its whole minute, and its last look may take some seconds more. */
const timeoutDefault = Duration.seconds(75);
const memoryMiB = 512;

/** A timer that compares intent with reality; takes no input. */
export class Reconciler extends Construct implements IGrantable {
  readonly grantPrincipal: IPrincipal;

  constructor(
    scope: Construct,
    id: string,
    props: {
      readonly environment: FunctionEnvironment;
      readonly source: FunctionSource;
      readonly every: Duration;
      readonly timeout?: Duration;
    },
  ) {
    super(scope, id);
    const reconciler = new ControlPlaneFunction(this, "Reconciler", {
      environment: props.environment,
      source: props.source,
      description: `Reconciler ${props.source.name}`,
      timeout: props.timeout ?? timeoutDefault,
      memoryMiB,
    });
    this.grantPrincipal = reconciler.grantPrincipal;
    props.environment.failures?.collectTicks(reconciler.function);
    new Rule(this, "Timer", {
      description: `Runs pgherd's reconciler ${props.source.name}`,
      schedule: Schedule.rate(props.every),
      targets: [new LambdaFunction(reconciler.function, { retryAttempts: 0 })],
    });
  }
}
