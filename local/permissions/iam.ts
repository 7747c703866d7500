import { tagsIn } from "../endpoints/iam/roles.ts";
import { optionalText, requiredText } from "../endpoints/input.ts";
import {
  type Asking,
  type Circumstances,
  plain,
  type Question,
  type Surroundings,
  tagCircumstances,
} from "./use.ts";

type Input = Readonly<Record<string, unknown>>;
type Kind = "role" | "instance-profile";

export const questionsOfIam: Asking = (action, input, surroundings) => {
  switch (action) {
    case "CreateRole": {
      const boundary = optionalText(input, "PermissionsBoundary");
      const circumstances = boundary === null ? {} : { "iam:PermissionsBoundary": boundary };
      return questionsOfMaking(
        action,
        "iam:TagRole",
        newArn("role", input, surroundings),
        input,
        circumstances,
      );
    }
    case "CreateInstanceProfile": {
      const profile = newArn("instance-profile", input, surroundings);
      return questionsOfMaking(action, "iam:TagInstanceProfile", profile, input);
    }
    case "PutRolePolicy":
    case "DeleteRolePolicy": {
      const boundary = surroundings.iam.boundaryOf(requiredText(input, "RoleName"));
      const circumstances: Circumstances = boundary === null ? {} : { "iam:PermissionsBoundary": boundary };
      return [{ action: `iam:${action}`, resource: roleArn(input, surroundings), circumstances }];
    }
    case "DeleteRole":
      return [plain(`iam:${action}`, roleArn(input, surroundings))];
    case "AddRoleToInstanceProfile":
      return [
        plain(`iam:${action}`, profileArn(input, surroundings)),
        {
          action: "iam:PassRole",
          resource: roleArn(input, surroundings),
          circumstances: { "iam:PassedToService": "ec2.amazonaws.com" },
        },
      ];
    case "RemoveRoleFromInstanceProfile":
    case "DeleteInstanceProfile":
      return [plain(`iam:${action}`, profileArn(input, surroundings))];
    default:
      return [plain(`iam:${action}`, "*")];
  }
};

function questionsOfMaking(
  action: string,
  tagging: string,
  resource: string,
  input: Input,
  more: Circumstances = {},
): Question[] {
  const tags = tagCircumstances(
    "aws:RequestTag",
    Object.fromEntries(tagsIn(input).map(({ Key, Value }) => [Key, Value])),
  );
  const making = { action: `iam:${action}`, resource, circumstances: { ...tags, ...more } };
  return Object.keys(tags).length === 0
    ? [making]
    : [making, { action: tagging, resource, circumstances: tags }];
}

function newArn(kind: Kind, input: Input, { account }: Surroundings): string {
  const name = requiredText(input, kind === "role" ? "RoleName" : "InstanceProfileName");
  return `arn:aws:iam::${account}:${kind}${optionalText(input, "Path") ?? "/"}${name}`;
}

/** Calls name what is there without its path, which IAM knows; what is not there has none. */
function roleArn(input: Input, { account, iam }: Surroundings): string {
  const name = requiredText(input, "RoleName");
  return iam.roleArn(name) ?? `arn:aws:iam::${account}:role/${name}`;
}

function profileArn(input: Input, { account, iam }: Surroundings): string {
  const name = requiredText(input, "InstanceProfileName");
  return iam.profileArn(name) ?? `arn:aws:iam::${account}:instance-profile/${name}`;
}
