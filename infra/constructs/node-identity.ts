import { Stack } from "aws-cdk-lib";
import { type IGrantable, ManagedPolicy } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import {
  agentActions,
  nodeRoleName,
  nodeRolePath,
  readParameterActions,
} from "../../layers/domain/cluster/node-role.ts";
import { allow } from "./allow.ts";
import type { BackupStore } from "./backup-store.ts";
import type { EnvironmentKey } from "./environment-key.ts";
import { clusterParametersArn, clusterRequest, ec2Arn, resourceName, storeParametersArn } from "./names.ts";

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

const atRunTime =
  "Each cluster's role is made with it; the path and the name narrow it to nodes of this environment.";

/**
 * Who nodes are to AWS. Each cluster has a role of its own, which is made with it and may do what
 * `layers/domain/cluster/node-role.ts` says. Here is the boundary of all of them, beyond which no policy of such a role
 * reaches whoever wrote it, and who may make, pass and remove them.
 */
export class NodeIdentity extends Construct {
  readonly boundaryArn: string;
  readonly #environment: string;

  constructor(scope: Construct, id: string, props: NodeIdentityProps) {
    super(scope, id);
    const { environment } = props;
    this.#environment = environment;
    // Roles keep the boundary that they were made with: it has one name, so that it is changed and never replaced.
    const managedPolicyName = resourceName(environment, "nodes");
    const boundary = new ManagedPolicy(this, "Boundary", {
      managedPolicyName,
      path: nodeRolePath(environment),
      description: `The most that a node of pgherd's environment ${environment} may do`,
    });
    this.#allowAgent(boundary);
    this.#allowSecrets(boundary, props);
    this.#allowProgram(boundary, props.programs);
    props.backups.grantKeepBackups(boundary);
    this.boundaryArn = this.#arn("policy", `${nodeRolePath(environment).slice(1)}${managedPolicyName}`);
  }

  /** Makes a cluster's role and gives it to EC2's instances, and to nothing else. */
  grantMake(grantee: IGrantable): void {
    const tagged = clusterRequest(this.#environment);
    const { StringEquals: ours, ...cluster } = tagged;
    const bounded = { "iam:PermissionsBoundary": this.boundaryArn };
    this.#allow(grantee, ["iam:CreateRole"], "role", {
      ...cluster,
      StringEquals: { ...ours, ...bounded },
    });
    this.#allow(grantee, ["iam:TagRole"], "role", tagged);
    this.#allow(grantee, ["iam:CreateInstanceProfile", "iam:TagInstanceProfile"], "instance-profile", tagged);
    this.#allow(grantee, ["iam:AddRoleToInstanceProfile"], "instance-profile");
    this.#allow(grantee, ["iam:PassRole"], "role", {
      StringEquals: { "iam:PassedToService": "ec2.amazonaws.com" },
    });
    this.grantPermit(grantee);
  }

  /** Says what the nodes of a cluster may do, within the boundary. */
  grantPermit(grantee: IGrantable): void {
    this.#allow(grantee, ["iam:PutRolePolicy"], "role", {
      StringEquals: { "iam:PermissionsBoundary": this.boundaryArn },
    });
  }

  /** What is not there any more has no path that IAM could know: it is named without one, and then it is "not found". */
  grantRemove(grantee: IGrantable): void {
    const profile = ["iam:DeleteInstanceProfile", "iam:RemoveRoleFromInstanceProfile"];
    const role = ["iam:DeleteRole", "iam:DeleteRolePolicy"];
    this.#allow(grantee, profile, "instance-profile", {}, "");
    this.#allow(grantee, role, "role", {}, "");
    this.#allow(grantee, profile, "instance-profile");
    this.#allow(grantee, role, "role");
  }

  grantList(grantee: IGrantable): void {
    allow(grantee, {
      actions: ["iam:ListRoles"],
      resources: ["*"],
      wildcard: "IAM knows no resource for a list; it holds names and no policies.",
    });
  }

  #allow(
    grantee: IGrantable,
    actions: string[],
    kind: "role" | "instance-profile",
    conditions: Record<string, Record<string, string>> = {},
    path = nodeRolePath(this.#environment).slice(1),
  ): void {
    allow(grantee, {
      actions,
      resources: [this.#arn(kind, `${path}${nodeRoleName(this.#environment, "clu_*")}`)],
      conditions,
      wildcard: atRunTime,
    });
  }

  #arn(resource: string, name: string): string {
    return Stack.of(this).formatArn({ service: "iam", region: "", resource, resourceName: name });
  }

  #allowAgent(boundary: ManagedPolicy): void {
    allow(boundary, {
      actions: agentActions.ofInstance,
      resources: [ec2Arn(this, "instance")],
      wildcard: "The agent speaks for the instance that it runs on, which is made at run time.",
    });
    allow(boundary, {
      actions: agentActions.ofMessages,
      resources: ["*"],
      wildcard: "The agent's messages know no resources.",
    });
  }

  #allowSecrets(boundary: ManagedPolicy, { environment, key }: NodeIdentityProps): void {
    for (const below of ["users/*", "backup/*"]) {
      allow(boundary, {
        actions: readParameterActions,
        resources: [clusterParametersArn(this, environment, below)],
        wildcard:
          "A boundary is that of all clusters; the paths hold passwords and the backups' pass, and no CA key.",
      });
      key.grantDecryptParameters(boundary, below);
    }
    allow(boundary, {
      actions: readParameterActions,
      resources: [storeParametersArn(this, environment)],
      wildcard: "People name them at run time; the path holds keys of stores for backups and nothing else.",
    });
    key.grantDecryptStoreKeys(boundary);
  }

  #allowProgram(boundary: ManagedPolicy, programs: ProgramStore): void {
    allow(boundary, {
      actions: ["s3:GetObject"],
      resources: [`${programs.bucketArn}/${programs.prefix}*.cjs`],
      wildcard: "A running operation's program can be older than the newest one.",
    });
  }
}
