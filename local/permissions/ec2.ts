import { flag, type Input, requiredText, text, textList } from "../endpoints/ec2/input.ts";
import { tagsFor } from "../endpoints/ec2/tags.ts";
import { questionsOfLaunch } from "./ec2-launch.ts";
import {
  arnOf,
  newArn,
  questionAbout,
  questionsOfDecrypting,
  questionsOfEncrypting,
  questionsOfMaking,
} from "./ec2-questions.ts";
import { type Asking, plain, type Question, type Surroundings } from "./use.ts";

/** Calls about things that exist: the parameters that name them. */
const byIds: Readonly<Record<string, readonly string[]>> = {
  StartInstances: ["InstanceId"],
  StopInstances: ["InstanceId"],
  RebootInstances: ["InstanceId"],
  TerminateInstances: ["InstanceId"],
  AttachVolume: ["VolumeId", "InstanceId"],
  DetachVolume: ["VolumeId", "InstanceId"],
  ModifyVolume: ["VolumeId"],
  DeleteVolume: ["VolumeId"],
  DeleteNetworkInterface: ["NetworkInterfaceId"],
  AuthorizeSecurityGroupIngress: ["GroupId"],
  RevokeSecurityGroupIngress: ["GroupId"],
  DeleteSecurityGroup: ["GroupId"],
  CreateTags: ["ResourceId"],
  DeleteTags: ["ResourceId"],
};

export const questionsOfEc2: Asking = (action, input, surroundings) => {
  const parameters = byIds[action];
  if (parameters !== undefined) {
    const ids = parameters.flatMap((name) => idsOf(input, name));
    return [
      ...ids.map((id) => questionAbout(action, id, surroundings)),
      ...questionsOfUsingVolumes(action, input, surroundings),
    ];
  }
  switch (action) {
    case "CreateVolume":
      return questionsOfVolume(input, surroundings);
    case "CreateNetworkInterface":
      return questionsOfInterface(input, surroundings);
    case "CreateSecurityGroup":
      return [
        ...questionsOfMaking(
          action,
          newArn("security-group", surroundings),
          tagsFor("security-group", input),
        ),
        plain(`ec2:${action}`, arnOf(requiredText(input, "VpcId"), surroundings)),
      ];
    case "RunInstances":
      return questionsOfLaunch(input, surroundings);
    default:
      return [plain(`ec2:${action}`, "*")];
  }
};

function idsOf(input: Input, name: string): readonly string[] {
  return Array.isArray(input[name]) ? textList(input, name) : [requiredText(input, name)];
}

function questionsOfVolume(input: Input, surroundings: Surroundings): Question[] {
  const encrypted = { "ec2:Encrypted": String(flag(input, "Encrypted")) };
  const key = text(input, "KmsKeyId");
  const resource = newArn("volume", surroundings);
  return [
    ...questionsOfMaking("CreateVolume", resource, tagsFor("volume", input), encrypted),
    ...(key === null ? [] : questionsOfEncrypting(key, surroundings)),
  ];
}

function questionsOfInterface(input: Input, surroundings: Surroundings): Question[] {
  const action = "CreateNetworkInterface";
  const resource = newArn("network-interface", surroundings);
  return [
    ...questionsOfMaking(action, resource, tagsFor("network-interface", input)),
    plain(`ec2:${action}`, arnOf(requiredText(input, "SubnetId"), surroundings)),
    ...textList(input, "SecurityGroupId").map((id) => questionAbout(action, id, surroundings)),
  ];
}

function questionsOfUsingVolumes(action: string, input: Input, surroundings: Surroundings): Question[] {
  return keysInUse(action, input, surroundings).flatMap((key) => questionsOfDecrypting(key, surroundings));
}

function keysInUse(action: string, input: Input, { ec2 }: Surroundings): readonly string[] {
  switch (action) {
    case "AttachVolume": {
      const key = ec2.keyOfVolume(requiredText(input, "VolumeId"));
      return key === null ? [] : [key];
    }
    case "StartInstances":
      return textList(input, "InstanceId").flatMap((id) => ec2.keysOfInstance(id));
    default:
      return [];
  }
}
