import type { ResourceContext, ResourceType } from "../targets.ts";
import { listOf, optionalText } from "./properties.ts";

/** Roles and policies are names here: the endpoints tell callers apart and record them. */
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

const instanceProfile = named("instance-profile", "InstanceProfileName");

export const identityResources: Readonly<Record<string, ResourceType>> = {
  "AWS::IAM::Role": named("role", "RoleName"),
  "AWS::IAM::ManagedPolicy": named("policy", "ManagedPolicyName"),
  "AWS::IAM::Policy": named("inline-policy", "PolicyName"),
  "AWS::IAM::InstanceProfile": {
    make: async (properties, context: ResourceContext) => {
      const deployed = await instanceProfile.make(properties, context);
      const [role] = listOf(properties, "Roles");
      const { instanceProfiles } = context.collected;
      instanceProfiles.set(deployed.ref, String(role));
      instanceProfiles.set(deployed.attributes["Arn"] ?? "", String(role));
      return deployed;
    },
  },
};
