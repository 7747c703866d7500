import { type ResourceType, typeOfId } from "../endpoints/ec2/ids.ts";
import { type Circumstances, type Question, type Surroundings, tagCircumstances } from "./use.ts";

type Tags = Readonly<Record<string, string>>;

/** The ARN of a thing, by its id. */
export function arnOf(id: string, { region, account }: Surroundings): string {
  return `arn:aws:ec2:${region}:${account}:${typeOfId(id) ?? "unknown"}/${id}`;
}

/** The ARN of a thing that is yet to be made. */
export function newArn(type: ResourceType, { region, account }: Surroundings): string {
  return `arn:aws:ec2:${region}:${account}:${type}/*`;
}

/** About a thing that is there, with its tags. */
export function questionAbout(
  action: string,
  id: string,
  surroundings: Surroundings,
  more: Circumstances = {},
): Question {
  const tags = tagCircumstances("aws:ResourceTag", surroundings.ec2.tagsOf(id));
  return { action: `ec2:${action}`, resource: arnOf(id, surroundings), circumstances: { ...tags, ...more } };
}

/** About making a thing, and giving it the tags that it begins with. */
export function questionsOfMaking(
  action: string,
  resource: string,
  tags: Tags,
  more: Circumstances = {},
): Question[] {
  const circumstances = tagCircumstances("aws:RequestTag", tags);
  const making = { action: `ec2:${action}`, resource, circumstances: { ...circumstances, ...more } };
  if (Object.keys(tags).length === 0) return [making];
  const tagging = {
    action: "ec2:CreateTags",
    resource,
    circumstances: { ...circumstances, "ec2:CreateAction": action },
  };
  return [making, tagging];
}

/** EBS asks KMS for a volume's data key with the rights of whoever makes the volume. */
export function questionsOfEncrypting(key: string, surroundings: Surroundings): Question[] {
  const circumstances = { "kms:ViaService": `ec2.${surroundings.region}.amazonaws.com` };
  return [
    { action: "kms:DescribeKey", resource: key, circumstances },
    { action: "kms:GenerateDataKeyWithoutPlaintext", resource: key, circumstances },
    ...questionsOfDecrypting(key, surroundings),
  ];
}

/** EC2 lets itself use a volume's data key with the rights of whoever attaches the volume or starts its instance. */
export function questionsOfDecrypting(key: string, { region }: Surroundings): Question[] {
  const circumstances = { "kms:ViaService": `ec2.${region}.amazonaws.com` };
  return [
    {
      action: "kms:CreateGrant",
      resource: key,
      circumstances: { ...circumstances, "kms:GrantIsForAWSResource": "true" },
    },
    { action: "kms:Decrypt", resource: key, circumstances },
  ];
}
