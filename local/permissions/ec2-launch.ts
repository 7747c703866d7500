import { type Input, object, objectList, text } from "../endpoints/ec2/input.ts";
import { tagsFor } from "../endpoints/ec2/tags.ts";
import { arnOf, newArn, questionAbout, questionsOfEncrypting, questionsOfMaking } from "./ec2-questions.ts";
import { type Circumstances, type LaunchTemplate, plain, type Question, type Surroundings } from "./use.ts";

const action = "RunInstances";

/** IAM is asked about a launch once for every thing that it makes or uses. */
export function questionsOfLaunch(input: Input, surroundings: Surroundings): Question[] {
  const reference = object(input, "LaunchTemplate");
  const template = reference === null ? null : surroundings.ec2.templateOf(reference);
  const through: Circumstances =
    template === null ? {} : { "ec2:LaunchTemplate": arnOf(template.id, surroundings) };
  return [
    ...questionsOfInstance(input, template, through, surroundings),
    ...questionsOfRootVolumes(input, template, through, surroundings),
    ...questionsOfInterfaces(input, through, surroundings),
    ...questionsOfImage(input, template, through, surroundings),
    ...(template === null ? [] : [plain(`ec2:${action}`, arnOf(template.id, surroundings))]),
    ...questionsOfProfile(input, template, surroundings),
  ];
}

/** Whether the launch template names a thing, and not the call. */
const byTemplate = (is: boolean): Circumstances => ({ "ec2:IsLaunchTemplateResource": String(is) });

function questionsOfInstance(
  input: Input,
  template: LaunchTemplate | null,
  through: Circumstances,
  surroundings: Surroundings,
): Question[] {
  const tags = { ...template?.tags["instance"], ...tagsFor("instance", input) };
  return questionsOfMaking(action, newArn("instance", surroundings), tags, through);
}

/** Volumes that the launch template lets begin with the instance. */
function questionsOfRootVolumes(
  input: Input,
  template: LaunchTemplate | null,
  through: Circumstances,
  surroundings: Surroundings,
): Question[] {
  const tags = { ...template?.tags["volume"], ...tagsFor("volume", input) };
  return (template?.volumes ?? []).flatMap(({ encrypted, keyArn }) => [
    ...questionsOfMaking(action, newArn("volume", surroundings), tags, {
      ...through,
      "ec2:Encrypted": String(encrypted),
    }),
    ...(keyArn === null ? [] : questionsOfEncrypting(keyArn, surroundings)),
  ]);
}

function questionsOfInterfaces(input: Input, through: Circumstances, surroundings: Surroundings): Question[] {
  const ids = objectList(input, "NetworkInterface").flatMap((one) => text(one, "NetworkInterfaceId") ?? []);
  return ids.flatMap((id) => {
    const found = surroundings.ec2.interfaceOf(id);
    const groups = found?.groupIds ?? [];
    return [
      questionAbout(action, id, surroundings, through),
      ...groups.map((group) => questionAbout(action, group, surroundings, through)),
      ...(found === null ? [] : [questionAbout(action, found.subnetId, surroundings, through)]),
    ];
  });
}

function questionsOfImage(
  input: Input,
  template: LaunchTemplate | null,
  through: Circumstances,
  { region }: Surroundings,
): Question[] {
  const own = text(input, "ImageId");
  const image = own ?? template?.imageId ?? null;
  if (image === null) return [];
  return [
    {
      action: `ec2:${action}`,
      resource: `arn:aws:ec2:${region}::image/${image}`,
      circumstances: { ...through, ...byTemplate(own === null) },
    },
  ];
}

/** An instance gets its role from whoever launches it. */
function questionsOfProfile(
  input: Input,
  template: LaunchTemplate | null,
  { ec2 }: Surroundings,
): Question[] {
  const own = object(input, "IamInstanceProfile");
  const named = own === null ? null : (text(own, "Arn") ?? text(own, "Name"));
  const profile = named ?? template?.profile ?? null;
  const role = profile === null ? null : ec2.roleOfProfile(profile);
  if (role === null) return [];
  return [
    {
      action: "iam:PassRole",
      resource: role,
      circumstances: { "iam:PassedToService": "ec2.amazonaws.com" },
    },
  ];
}
