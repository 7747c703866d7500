import { type IGrantable, InstanceProfile, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import { allow } from "./allow.ts";
import type { BackupStore } from "./backup-store.ts";
import type { EnvironmentKey } from "./environment-key.ts";
import { clusterParametersArn, ec2Arn, storeParametersArn } from "./names.ts";

/** Where nodes find their program: below this prefix of the bucket that CDK keeps assets in. */
export interface ProgramStore {
  readonly bucketArn: string;
  readonly prefix: string;
}

interface NodeIdentityProps {
  readonly environment: string;
  readonly key: EnvironmentKey;
  readonly programs: ProgramStore;
  readonly backups: BackupStore;
}

/** Who a node is to AWS: it takes commands, reads its secrets and its program, keeps backups, and nothing else. */
export class NodeIdentity extends Construct {
  readonly instanceProfileArn: string;
  readonly #role: Role;

  constructor(scope: Construct, id: string, props: NodeIdentityProps) {
    super(scope, id);
    this.#role = new Role(this, "Role", {
      path: `/pgherd/${props.environment}/`,
      assumedBy: new ServicePrincipal("ec2.amazonaws.com"),
      description: `Nodes of pgherd's environment ${props.environment}`,
    });
    this.#allowAgent();
    this.#allowSecrets(props);
    this.#allowProgram(props.programs);
    props.backups.grantKeepBackups(this.#role);
    const profile = new InstanceProfile(this, "Profile", {
      path: `/pgherd/${props.environment}/`,
      role: this.#role,
    });
    this.instanceProfileArn = profile.instanceProfileArn;
  }

  /** Gives this identity to instances, and to nothing that is not EC2. */
  grantPass(grantee: IGrantable): void {
    allow(grantee, {
      actions: ["iam:PassRole"],
      resources: [this.#role.roleArn],
      conditions: { StringEquals: { "iam:PassedToService": "ec2.amazonaws.com" } },
    });
  }

  /**
   * What the SSM agent needs to take commands. AWS's own policy for it also reads every parameter of the account and
   * opens shells (`CreateDataChannel`): both are left out.
   */
  #allowAgent(): void {
    allow(this.#role, {
      actions: ["ssm:UpdateInstanceInformation"],
      resources: [ec2Arn(this, "instance")],
      wildcard: "The agent speaks for the instance that it runs on, which is made at run time.",
    });
    allow(this.#role, {
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
      resources: ["*"],
      wildcard: "The agent's messages know no resources.",
    });
  }

  #allowSecrets({ environment, key }: NodeIdentityProps): void {
    for (const below of ["users/*", "backup/*"]) {
      allow(this.#role, {
        actions: ["ssm:GetParameter", "ssm:GetParameters"],
        resources: [clusterParametersArn(this, environment, below)],
        wildcard:
          "Clusters are made at run time; the paths hold passwords and the backups' pass, and no CA key.",
      });
      key.grantDecryptParameters(this.#role, below);
    }
    allow(this.#role, {
      actions: ["ssm:GetParameters"],
      resources: [storeParametersArn(this, environment)],
      wildcard: "People name them at run time; the path holds keys of stores for backups and nothing else.",
    });
    key.grantDecryptStoreKeys(this.#role);
  }

  #allowProgram(programs: ProgramStore): void {
    allow(this.#role, {
      actions: ["s3:GetObject"],
      resources: [`${programs.bucketArn}/${programs.prefix}*.cjs`],
      wildcard: "A running operation's program can be older than the newest one.",
    });
  }
}
