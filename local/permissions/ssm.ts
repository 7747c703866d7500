import { objectList, optionalFlag, optionalText, requiredText, textList } from "../endpoints/input.ts";
import {
  type Asking,
  type Circumstances,
  plain,
  type Question,
  type Surroundings,
  tagCircumstances,
} from "./use.ts";

type Input = Readonly<Record<string, unknown>>;

export const questionsOfSsm: Asking = (action, input, surroundings) => {
  switch (action) {
    case "GetParameter":
      return questionsOfReading(action, [requiredText(input, "Name")], input, surroundings);
    case "GetParameters":
      return questionsOfReading(action, textList(input, "Names"), input, surroundings);
    case "GetParametersByPath":
      return [plain(`ssm:${action}`, parameterArn(requiredText(input, "Path"), surroundings))];
    case "DeleteParameter":
      return [plain(`ssm:${action}`, parameterArn(requiredText(input, "Name"), surroundings))];
    case "DeleteParameters":
      return textList(input, "Names").map((name) => plain(`ssm:${action}`, parameterArn(name, surroundings)));
    case "PutParameter":
      return questionsOfPutting(input, surroundings);
    case "SendCommand":
      return questionsOfCommand(input, surroundings);
    default:
      return [plain(`ssm:${action}`, "*")];
  }
};

function questionsOfReading(
  action: string,
  names: readonly string[],
  input: Input,
  surroundings: Surroundings,
): Question[] {
  const decrypt = optionalFlag(input, "WithDecryption");
  return names.flatMap((name) => {
    const resource = parameterArn(name, surroundings);
    const key = decrypt ? surroundings.keyOfParameter(name) : null;
    return [
      plain(`ssm:${action}`, resource),
      ...(key === null ? [] : [questionOfKey("kms:Decrypt", key, resource, surroundings)]),
    ];
  });
}

function questionsOfPutting(input: Input, surroundings: Surroundings): Question[] {
  const resource = parameterArn(requiredText(input, "Name"), surroundings);
  const tags = Object.fromEntries(
    objectList(input, "Tags").map((tag) => [requiredText(tag, "Key"), optionalText(tag, "Value") ?? ""]),
  );
  const circumstances = tagCircumstances("aws:RequestTag", tags);
  const key = optionalText(input, "Type") === "SecureString" ? optionalText(input, "KeyId") : null;
  return [
    { action: "ssm:PutParameter", resource, circumstances },
    ...(Object.keys(tags).length === 0 ? [] : [{ action: "ssm:AddTagsToResource", resource, circumstances }]),
    ...(key === null ? [] : [questionOfKey("kms:Encrypt", key, resource, surroundings)]),
  ];
}

/** Parameter Store uses the key with the rights of the caller, and says which parameter it is for. */
function questionOfKey(action: string, key: string, parameter: string, { region }: Surroundings): Question {
  const circumstances: Circumstances = {
    "kms:ViaService": `ssm.${region}.amazonaws.com`,
    "kms:EncryptionContext:PARAMETER_ARN": parameter,
  };
  return { action, resource: key, circumstances };
}

function questionsOfCommand(input: Input, { region, account, ec2 }: Surroundings): Question[] {
  const action = "ssm:SendCommand";
  const document = `arn:aws:ssm:${region}:${account}:document/${requiredText(input, "DocumentName")}`;
  const instances = textList(input, "InstanceIds").map((id) => {
    const tags = ec2.tagsOf(id);
    return {
      action,
      resource: `arn:aws:ec2:${region}:${account}:instance/${id}`,
      circumstances: {
        ...tagCircumstances("aws:ResourceTag", tags),
        ...tagCircumstances("ssm:resourceTag", tags),
      },
    };
  });
  return [plain(action, document), ...instances];
}

/** A parameter is named by its name or by its ARN. */
function parameterArn(nameOrArn: string, { region, account }: Surroundings): string {
  if (nameOrArn.startsWith("arn:")) return nameOrArn;
  return `arn:aws:ssm:${region}:${account}:parameter/${nameOrArn.replace(/^\//, "")}`;
}
