import { Boundaries } from "../../endpoints/iam/boundaries.ts";
import type { Properties, ResourceContext, ResourceType } from "../targets.ts";
import { listOf, objectOf, optionalText } from "./properties.ts";

/** Roles and most policies of templates are names here: the endpoints tell callers apart and record them. */
function named(kind: string, nameProperty: string): ResourceType {
  return {
    make: (properties, { targets, key }) => {
      const name = optionalText(properties, nameProperty) ?? key.replace("/", "-");
      const path = optionalText(properties, "Path") ?? "/";
      const arn = `arn:aws:iam::${targets.account}:${kind}${path}${name}`;
      // Ref of a managed policy is its ARN, that of everything else its name.
      return { ref: kind === "policy" ? arn : name, attributes: { Arn: arn, PolicyArn: arn, RoleId: name } };
    },
  };
}

const role = named("role", "RoleName");
const managedPolicy = named("policy", "ManagedPolicyName");

/** Whether one of its statements names the service as the one who may take the role on. */
function trusts(properties: Properties, service: string): boolean {
  const statements = listOf(objectOf(properties, "AssumeRolePolicyDocument"), "Statement");
  return (statements as readonly Properties[]).some(
    (statement) => objectOf(statement, "Principal")["Service"] === service,
  );
}

export const identityResources: Readonly<Record<string, ResourceType>> = {
  "AWS::IAM::Role": {
    make: async (properties, context: ResourceContext) => {
      const deployed = await role.make(properties, context);
      const { scheduler } = context.targets;
      if (trusts(properties, "scheduler.amazonaws.com"))
        scheduler.letAssume(deployed.attributes["Arn"] ?? "");
      return deployed;
    },
  },
  // One that no role of the template has is the boundary of roles that are made at run time, and is held to.
  "AWS::IAM::ManagedPolicy": {
    make: async (properties, context) => {
      const deployed = await managedPolicy.make(properties, context);
      if (listOf(properties, "Roles").length === 0) {
        const document = JSON.stringify(objectOf(properties, "PolicyDocument"));
        new Boundaries(context.targets.documents).put(deployed.ref, document);
      }
      return deployed;
    },
    remove: (arn, { documents }) => new Boundaries(documents).delete(arn),
  },
  "AWS::IAM::Policy": named("inline-policy", "PolicyName"),
};
