import { CfnResource, RemovalPolicy, Stack } from "aws-cdk-lib";
import { type IGrantable, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { CfnScheduleGroup } from "aws-cdk-lib/aws-scheduler";
import { Construct } from "constructs";
import type { EnvironmentSettings } from "../../layers/domain/environment.ts";
import { allow } from "./allow.ts";
import { functionArn, resourceName } from "./names.ts";

/** What schedules start: functions/schedules/start-backup.ts. */
export const scheduleTarget = "start-backup";

const service = "scheduler.amazonaws.com";
const wildcard = "Clusters are made at run time; the group holds this environment's schedules and no others.";

/**
 * The group of the clusters' schedules, and who they are to what they start. Schedules themselves are made at run time,
 * and like their clusters they go on while the control plane is deployed anew.
 */
export class ClusterSchedules extends Construct {
  readonly settings: EnvironmentSettings["schedules"];
  readonly #group: string;
  readonly #roleArn: string;

  constructor(
    scope: Construct,
    id: string,
    props: { readonly environment: string; readonly keepData: boolean },
  ) {
    super(scope, id);
    this.#group = resourceName(props.environment, "clusters");
    const group = new CfnScheduleGroup(this, "Group", { name: this.#group });
    // By name: the function is deployed after its schedules' role, and may be away for a while.
    const targetArn = functionArn(this, props.environment, scheduleTarget);
    const role = this.#makeRole(props.environment);
    allow(role, { actions: ["lambda:InvokeFunction"], resources: [targetArn] });
    this.#roleArn = role.roleArn;
    this.settings = { group: this.#group, roleArn: this.#roleArn, targetArn };
    const policy = props.keepData ? RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE : RemovalPolicy.DESTROY;
    for (const kept of [group, ...role.node.findAll()]) {
      if (CfnResource.isCfnResource(kept)) kept.applyRemovalPolicy(policy);
    }
  }

  /** Only the scheduler itself, and only for schedules of the group. */
  #makeRole(environment: string): Role {
    const { account } = Stack.of(this);
    const group = this.#arn("schedule-group", this.#group);
    return new Role(this, "Role", {
      path: `/pgherd/${environment}/`,
      description: `Schedules of the clusters in pgherd's environment ${environment}`,
      assumedBy: new ServicePrincipal(service, {
        conditions: { StringEquals: { "aws:SourceAccount": account, "aws:SourceArn": group } },
      }),
    });
  }

  /** Makes a cluster's schedules what its spec says. */
  grantApply(grantee: IGrantable): void {
    allow(grantee, {
      actions: [
        "scheduler:CreateSchedule",
        "scheduler:DeleteSchedule",
        "scheduler:GetSchedule",
        "scheduler:UpdateSchedule",
      ],
      resources: [this.#schedules()],
      wildcard,
    });
    allow(grantee, {
      actions: ["iam:PassRole"],
      resources: [this.#roleArn],
      conditions: { StringEquals: { "iam:PassedToService": service } },
    });
  }

  grantRemove(grantee: IGrantable): void {
    allow(grantee, { actions: ["scheduler:DeleteSchedule"], resources: [this.#schedules()], wildcard });
  }

  grantList(grantee: IGrantable): void {
    allow(grantee, {
      actions: ["scheduler:ListSchedules"],
      resources: ["*"],
      wildcard: "IAM knows no resource for this action, which tells names and nothing else.",
    });
  }

  #schedules(): string {
    return this.#arn("schedule", `${this.#group}/clu_*`);
  }

  #arn(resource: string, name: string): string {
    return Stack.of(this).formatArn({ service: "scheduler", resource, resourceName: name });
  }
}
