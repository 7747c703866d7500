import {
  Grant,
  type IGrantable,
  InstanceProfile,
  PolicyStatement,
  Role,
  ServicePrincipal,
} from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import type { EnvironmentKey } from "./environment-key.ts";
import { clusterParametersArn, ec2Arn } from "./names.ts";

/** Where nodes find their program: below this prefix of the bucket that CDK keeps assets in. */
export interface ProgramStore {
  readonly bucketArn: string;
  readonly prefix: string;
}

/** Who a node is to AWS: it takes commands, reads its users' passwords and its program, and nothing else. */
export class NodeIdentity extends Construct {
  readonly instanceProfileArn: string;
  readonly #role: Role;

  constructor(
    scope: Construct,
    id: string,
    props: { readonly environment: string; readonly key: EnvironmentKey; readonly programs: ProgramStore },
  ) {
    super(scope, id);
    this.#role = new Role(this, "Role", {
      path: `/pgherd/${props.environment}/`,
      assumedBy: new ServicePrincipal("ec2.amazonaws.com"),
      description: `Nodes of pgherd's environment ${props.environment}`,
    });
    this.#allowAgent();
    this.#allowPasswords(props.environment, props.key);
    this.#role.addToPolicy(
      new PolicyStatement({
        actions: ["s3:GetObject"],
        resources: [`${props.programs.bucketArn}/${props.programs.prefix}*.mjs`],
      }),
    );
    const profile = new InstanceProfile(this, "Profile", {
      path: `/pgherd/${props.environment}/`,
      role: this.#role,
    });
    this.instanceProfileArn = profile.instanceProfileArn;
  }

  /**
   * What the SSM agent needs to take commands. AWS's own policy for it also reads every parameter of the account and
   * opens shells (`CreateDataChannel`): both are left out.
   */
  #allowAgent(): void {
    this.#role.addToPolicy(
      new PolicyStatement({
        actions: ["ssm:UpdateInstanceInformation"],
        resources: [ec2Arn(this, "instance")],
      }),
    );
    this.#role.addToPolicy(
      new PolicyStatement({
        actions: [
          "ec2messages:AcknowledgeMessage",
          "ec2messages:DeleteMessage",
          "ec2messages:FailMessage",
          "ec2messages:GetEndpoint",
          "ec2messages:GetMessages",
          "ec2messages:SendReply",
          "ssmmessages:CreateControlChannel",
          "ssmmessages:OpenControlChannel",
        ],
        // These actions know no resources.
        resources: ["*"],
      }),
    );
  }

  #allowPasswords(environment: string, key: EnvironmentKey): void {
    this.#role.addToPolicy(
      new PolicyStatement({
        actions: ["ssm:GetParameter", "ssm:GetParameters"],
        resources: [clusterParametersArn(this, environment, "users/*")],
      }),
    );
    key.grantDecryptParameters(this.#role, "users/*");
  }

  /** Gives this identity to instances, and to nothing that is not EC2. */
  grantPass(grantee: IGrantable): void {
    Grant.addToPrincipal({
      grantee,
      actions: ["iam:PassRole"],
      resourceArns: [this.#role.roleArn],
      conditions: { StringEquals: { "iam:PassedToService": "ec2.amazonaws.com" } },
    });
  }
}
