import { optionalText, requiredText } from "../endpoints/input.ts";
import { type Asking, plain, type Surroundings } from "./use.ts";

/** Lambda's calls that IAM calls otherwise. */
const otherNames: Readonly<Record<string, string>> = { Invoke: "InvokeFunction" };

export const questionsOfLambda: Asking = (action, input, surroundings) => {
  const name = `lambda:${otherNames[action] ?? action}`;
  const execution = optionalText(input, "DurableExecutionArn");
  if (execution !== null) return [plain(name, execution)];
  if (optionalText(input, "FunctionName") === null) return [plain(name, "*")];
  return [plain(name, functionArn(input, surroundings))];
};

/** A function is named by its name or its ARN, either with a version or an alias behind it or beside it. */
function functionArn(input: Readonly<Record<string, unknown>>, { region, account }: Surroundings): string {
  const name = requiredText(input, "FunctionName");
  const qualifier = optionalText(input, "Qualifier");
  const arn = name.startsWith("arn:") ? name : `arn:aws:lambda:${region}:${account}:function:${name}`;
  return qualifier === null ? arn : `${arn}:${qualifier}`;
}
