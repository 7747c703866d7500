import { createHash } from "node:crypto";
import { z } from "zod";
import { loadConfig, type StageName } from "../../../infra/config/index.ts";
import {
  type NodeRights,
  nodePolicy,
  nodePolicyName,
  nodeRoleName,
  nodeRolePath,
} from "../../../layers/domain/cluster/node-role.ts";
import { type EnvironmentSettings, environmentSettingsSchema } from "../../../layers/domain/environment.ts";
import { type Deployed, resolve, type Scope } from "../../../local/deploy/intrinsics.ts";
import { idFor, type ResourceType } from "../../../local/endpoints/ec2/ids.ts";
import type { Resource, Stack } from "./synthesized.ts";

/** An account for stages that deploy to whatever account their deployer has. */
const anyAccount = "111122223333";

export interface Policy {
  readonly name: string;
  readonly policy: unknown;
}

export interface PaperRole {
  readonly name: string;
  readonly arn: string;
  readonly policies: readonly Policy[];
  /** Whether what it calls leaves the environment's network: nodes do, functions run outside of it. */
  readonly isOfNodes: boolean;
  /** Null: its policies are all that there is to it. */
  readonly boundary: Policy | null;
}

/** A stage as if it were deployed. */
export interface PaperStage {
  readonly name: StageName;
  readonly region: string;
  readonly account: string;
  /** Stack name and logical id → what the resource answers to `Ref` and `Fn::GetAtt`. */
  readonly resources: ReadonlyMap<string, Deployed>;
  readonly roles: ReadonlyMap<string, PaperRole>;
  /** By the ARN of the key or the bucket. */
  readonly resourcePolicies: ReadonlyMap<string, Policy>;
  /** By the service's name. Empty where the network has no endpoints. */
  readonly endpointPolicies: ReadonlyMap<string, Policy>;
  /** What its functions are told. */
  readonly settings: EnvironmentSettings;
  /** By the policy's ARN. */
  readonly boundaries: ReadonlyMap<string, Policy>;
}

type Known = ReadonlyMap<string, Deployed>;

const exportsSchema = z
  .record(z.string(), z.object({ Value: z.unknown(), Export: z.object({ Name: z.unknown() }).optional() }))
  .default({});
const endpointSchema = z.looseObject({ ServiceName: z.string(), PolicyDocument: z.unknown() });
const attachedSchema = z.looseObject({ PolicyDocument: z.unknown(), Roles: z.array(z.string()).default([]) });
const functionSchema = z.looseObject({
  Environment: z.object({ Variables: z.object({ PGHERD_SETTINGS: z.string() }) }),
});
/** The one that makes the roles of nodes. */
const maker = "create-cluster";

interface Documents {
  readonly attached: Map<string, Policy[]>;
  readonly ofResources: Map<string, Policy>;
  readonly ofEndpoints: Map<string, Policy>;
  readonly boundaries: Map<string, Policy>;
}
const bucketPolicySchema = z.looseObject({ PolicyDocument: z.unknown(), Bucket: z.string() });

/**
 * Resolves what a stage's policies refer to. What a resource is called is known from an environment that it was
 * deployed to, or else made up.
 */
export function deployOnPaper(
  stacks: readonly Stack[],
  name: StageName,
  known: Known = new Map(),
): PaperStage {
  const { region, account = anyAccount } = loadConfig(name, {});
  const resources = new Map<string, Deployed>();
  const exports = new Map<string, string>();
  const documents: Documents = {
    attached: new Map(),
    ofResources: new Map(),
    ofEndpoints: new Map(),
    boundaries: new Map(),
  };
  let settings: EnvironmentSettings | null = null;
  const arns = new Map<string, string>();
  for (const stack of stacks.filter(({ stage }) => stage === name)) {
    const own = new Map<string, Deployed>();
    const scope: Scope = { account, region, stackName: stack.stackName, zones: [], resources: own, exports };
    for (const [id, resource] of inOrder(stack)) {
      const key = `${stack.stackName}/${id}`;
      const deployed = known.get(key) ?? madeUp(resource, key, scope);
      own.set(id, deployed);
      resources.set(key, deployed);
      if (resource.Type === "AWS::IAM::Role") arns.set(deployed.ref, deployed.attributes["Arn"] ?? "");
    }
    for (const [id, resource] of inOrder(stack)) {
      collectPolicies(id, resource, scope, documents);
      if (resource.Type === "AWS::Lambda::Function" && own.get(id)?.ref === `pgherd-${name}-${maker}`) {
        const { Environment } = functionSchema.parse(resolve(resource.Properties, scope));
        settings = environmentSettingsSchema.parse(JSON.parse(Environment.Variables.PGHERD_SETTINGS));
      }
    }
    for (const output of Object.values(exportsSchema.parse(stack.template["Outputs"]))) {
      if (output.Export === undefined) continue;
      exports.set(String(resolve(output.Export.Name, scope)), String(resolve(output.Value, scope)));
    }
  }
  if (settings === null) throw new Error(`the stage ${name} has no function ${maker}`);
  const { attached, boundaries, ofEndpoints: endpointPolicies, ofResources: resourcePolicies } = documents;
  const roles = new Map(
    [...arns].map(([role, arn]) => [
      role,
      { name: role, arn, policies: attached.get(role) ?? [], boundary: null, isOfNodes: false },
    ]),
  );
  return {
    name,
    region,
    account,
    resources,
    roles,
    resourcePolicies,
    endpointPolicies,
    settings,
    boundaries,
  };
}

/** The role of a cluster's nodes, as the stage's functions make it. @param policy another one than it should have */
export function nodeRoleOn(stage: PaperStage, rights: NodeRights, policy?: unknown): PaperRole {
  const { account, region, settings } = stage;
  const name = nodeRoleName(stage.name, rights.clusterId);
  const boundary = stage.boundaries.get(settings.nodeRoles.boundaryArn);
  if (boundary === undefined) throw new Error(`the stage ${stage.name} has no boundary for roles of nodes`);
  return {
    name,
    arn: `arn:aws:iam::${account}:role${nodeRolePath(stage.name)}${name}`,
    policies: [{ name: nodePolicyName, policy: policy ?? nodePolicy({ ...settings, region }, rights) }],
    boundary,
    isOfNodes: true,
  };
}

/** What others are named after comes first. */
function inOrder({ template }: Stack): readonly (readonly [string, Resource])[] {
  const isAlias = (resource: Resource) => Number(resource.Type === "AWS::Lambda::Alias");
  return Object.entries(template.Resources).toSorted(([, left], [, right]) => isAlias(left) - isAlias(right));
}

function collectPolicies(id: string, resource: Resource, scope: Scope, documents: Documents): void {
  switch (resource.Type) {
    case "AWS::IAM::Policy":
    case "AWS::IAM::ManagedPolicy": {
      const { Roles, PolicyDocument } = attachedSchema.parse(resolve(resource.Properties, scope));
      const policy = { name: id, policy: PolicyDocument };
      if (Roles.length === 0) documents.boundaries.set(scope.resources.get(id)?.ref ?? "", policy);
      for (const role of Roles) {
        documents.attached.set(role, [...(documents.attached.get(role) ?? []), policy]);
      }
      return;
    }
    case "AWS::KMS::Key": {
      const arn = scope.resources.get(id)?.attributes["Arn"] ?? "";
      documents.ofResources.set(arn, { name: id, policy: resolve(resource.Properties["KeyPolicy"], scope) });
      return;
    }
    case "AWS::S3::BucketPolicy": {
      const { Bucket, PolicyDocument } = bucketPolicySchema.parse(resolve(resource.Properties, scope));
      documents.ofResources.set(`arn:aws:s3:::${Bucket}`, { name: id, policy: PolicyDocument });
      return;
    }
    case "AWS::EC2::VPCEndpoint": {
      const { ServiceName: service, PolicyDocument: policy } = resource.Properties;
      const { ServiceName, PolicyDocument } = endpointSchema.parse(
        resolve({ ServiceName: service, PolicyDocument: policy }, scope),
      );
      documents.ofEndpoints.set(ServiceName.split(".").at(-1) ?? "", { name: id, policy: PolicyDocument });
    }
  }
}

/** Whatever is asked for of a resource that no recorded call is about. */
function anyAttribute(name: string, arn: string): Readonly<Record<string, string>> {
  const known: Readonly<Record<string, string>> = { Arn: arn };
  return new Proxy(known, {
    get: (_known, attribute) => known[String(attribute)] ?? `${name}.${String(attribute)}`,
  });
}

const ec2Types: Readonly<Record<string, ResourceType>> = {
  "AWS::EC2::VPC": "vpc",
  "AWS::EC2::Subnet": "subnet",
  "AWS::EC2::SecurityGroup": "security-group",
  "AWS::EC2::LaunchTemplate": "launch-template",
};

/** As CloudFormation would name it, with a digest in place of what it chooses. */
function madeUp({ Type, Properties }: Resource, key: string, scope: Scope): Deployed {
  const { account, region } = scope;
  const name = key.replace("/", "-");
  const text = (property: string, otherwise: string) =>
    String(resolve(Properties[property], scope) ?? otherwise);
  const deployed = (ref: string, arn: string): Deployed => ({ ref, attributes: { Arn: arn } });
  const ec2Type = ec2Types[Type];
  if (ec2Type !== undefined) {
    const id = idFor(ec2Type, key);
    return { ref: id, attributes: { GroupId: id } };
  }
  switch (Type) {
    case "AWS::DynamoDB::Table":
      return deployed(name, `arn:aws:dynamodb:${region}:${account}:table/${name}`);
    case "AWS::S3::Bucket":
      return deployed(name.toLowerCase(), `arn:aws:s3:::${name.toLowerCase()}`);
    case "AWS::KMS::Key": {
      const id = createHash("sha256").update(key).digest("hex").slice(0, 32);
      return deployed(id, `arn:aws:kms:${region}:${account}:key/${id}`);
    }
    case "AWS::IAM::Role":
      return deployed(name, `arn:aws:iam::${account}:role${text("Path", "/")}${name}`);
    case "AWS::IAM::ManagedPolicy": {
      const policy = `arn:aws:iam::${account}:policy${text("Path", "/")}${text("ManagedPolicyName", name)}`;
      return deployed(policy, policy);
    }
    case "AWS::Lambda::Function": {
      const own = text("FunctionName", name);
      return deployed(own, `arn:aws:lambda:${region}:${account}:function:${own}`);
    }
    case "AWS::Lambda::Alias":
      return deployed(
        `arn:aws:lambda:${region}:${account}:function:${text("FunctionName", "")}:${text("Name", "")}`,
        "",
      );
    case "AWS::SSM::Document":
    case "AWS::Scheduler::ScheduleGroup":
      return { ref: text("Name", name), attributes: {} };
    default:
      return { ref: name, attributes: anyAttribute(name, `arn:aws:unknown:${region}:${account}:${name}`) };
  }
}
