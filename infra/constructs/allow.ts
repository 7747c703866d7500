import { Stack, Validations } from "aws-cdk-lib";
import { Grant, type IGrantable } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";

export interface Permission {
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly conditions?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
  /** Why a resource has a wildcard, and what narrows it. Required where one has: auditors read it. */
  readonly wildcard?: string;
}

/** What a grant says in the end. Every statement of every policy in `infra/` comes from here. */
export function allow(grantee: IGrantable, permission: Permission): void {
  Grant.addToPrincipal({
    grantee,
    actions: [...permission.actions],
    resourceArns: [...permission.resources],
    ...(permission.conditions === undefined ? {} : { conditions: permission.conditions }),
  });
  // A policy that is nobody's yet is its own holder.
  const holder = Construct.isConstruct(grantee.grantPrincipal) ? grantee.grantPrincipal : grantee;
  for (const resource of permission.resources.filter((arn) => arn.includes("*"))) {
    if (permission.wildcard === undefined || !Construct.isConstruct(holder)) {
      throw new Error(
        `${permission.actions.join(", ")} on ${resource}: say in \`wildcard\` why it cannot be narrower`,
      );
    }
    acknowledgeWildcard(holder, resource, permission.wildcard);
  }
}

/** For policies that CDK itself writes. */
export function acknowledgeWildcard(construct: Construct, resource: string, reason: string): void {
  const shown = show(Stack.of(construct).resolve(resource));
  acknowledge(construct, `AwsSolutions-IAM5[Resource::${shown}]`, reason);
}

/** A rule of cdk-nag that something breaks on purpose. */
export function acknowledge(construct: Construct, rule: string, reason: string): void {
  Validations.of(construct).acknowledge({ id: `AwsSolutions::${rule}`, reason });
}

/** An ARN as cdk-nag writes it: `arn:aws:ec2:eu-central-1:<AWS::AccountId>:volume/*`. */
function show(value: unknown): string {
  if (typeof value === "string") {
    return value;
  }
  if (isRecord(value) && typeof value["Ref"] === "string") {
    return `<${value["Ref"]}>`;
  }
  if (isRecord(value) && Array.isArray(value["Fn::GetAtt"])) {
    return `<${value["Fn::GetAtt"].join(".")}>`;
  }
  if (isRecord(value) && typeof value["Fn::ImportValue"] === "string") {
    return value["Fn::ImportValue"];
  }
  if (isRecord(value) && Array.isArray(value["Fn::Join"]) && Array.isArray(value["Fn::Join"][1])) {
    return value["Fn::Join"][1].map(show).join(String(value["Fn::Join"][0]));
  }
  throw new Error(
    `an ARN with a wildcard is made of ${JSON.stringify(value)}, which no acknowledgement can name`,
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
