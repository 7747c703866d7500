import { ArnFormat, Duration, RemovalPolicy, Stack } from "aws-cdk-lib";
import type { IGrantable, IPrincipal } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import { executionHoursMax } from "../../layers/domain/operation/versions.ts";
import type { FunctionSource } from "../build/tree.ts";
import { allow } from "./allow.ts";
import { ControlPlaneFunction, type FunctionEnvironment } from "./control-plane-function.ts";
import { resourceName } from "./names.ts";

/** Lambda's own limit for one invocation; a workflow suspends and goes on in another one. */
const invocationTimeout = Duration.minutes(15);
const executionTimeout = Duration.hours(executionHoursMax);
/** For the history of an execution in the console; operations themselves stay in the table. */
const historyRetention = Duration.days(30);
const memoryMiB = 512;

/**
 * The code of an operation as a durable function. It is started by its alias; an execution stays on the version that
 * it began with, so no deployment removes a version: `functions/reconcilers/retired-versions.ts` does, when none is left.
 */
export class DurableWorkflow extends Construct implements IGrantable {
  readonly aliasArn: string;
  readonly grantPrincipal: IPrincipal;
  readonly #functionArn: string;
  readonly #name: string;

  constructor(
    scope: Construct,
    id: string,
    props: { readonly environment: FunctionEnvironment; readonly source: FunctionSource },
  ) {
    super(scope, id);
    const { environment, source } = props;
    const workflow = new ControlPlaneFunction(this, "Workflow", {
      environment,
      source,
      description: `Workflow ${source.name}`,
      timeout: invocationTimeout,
      memoryMiB,
      durable: { executionTimeout, retentionPeriod: historyRetention },
    });
    this.grantPrincipal = workflow.grantPrincipal;
    this.#name = resourceName(environment.name, source.name);
    this.#functionArn = workflow.function.functionArn;
    workflow.function.currentVersion.applyRemovalPolicy(RemovalPolicy.RETAIN);
    const alias = workflow.function.addAlias("live");
    this.aliasArn = alias.functionArn;
    environment.failures?.collect(alias);
  }

  /** Asks whether an operation's execution still runs. */
  grantFind(grantee: IGrantable): void {
    allow(grantee, {
      actions: ["lambda:ListDurableExecutionsByFunction"],
      resources: [this.#functionArn, this.aliasArn],
    });
  }

  /** Stops an operation's execution. */
  grantStop(grantee: IGrantable): void {
    allow(grantee, {
      actions: ["lambda:StopDurableExecution"],
      resources: [this.#versionsArn()],
      wildcard: "Every version of the workflow: an execution stays on the one that it began with.",
    });
  }

  /** Looks through its versions and removes some of them; the function as a whole, which has no qualifier, never. */
  grantRemoveVersions(grantee: IGrantable): void {
    allow(grantee, {
      actions: [
        "lambda:ListAliases",
        "lambda:ListDurableExecutionsByFunction",
        "lambda:ListVersionsByFunction",
      ],
      resources: [this.#functionArn],
    });
    allow(grantee, {
      actions: ["lambda:DeleteFunction"],
      resources: [this.#versionsArn()],
      wildcard:
        "Every version of the workflow, but not the workflow: Lambda asks about the version that is named.",
    });
  }

  /** Starts operations through the alias; a version or the function itself cannot be invoked. */
  grantStart(grantee: IGrantable): void {
    allow(grantee, { actions: ["lambda:InvokeFunction"], resources: [this.aliasArn] });
  }

  #versionsArn(): string {
    return Stack.of(this).formatArn({
      service: "lambda",
      resource: "function",
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      resourceName: `${this.#name}:*`,
    });
  }
}
