import { optionalText, requiredText } from "../endpoints/input.ts";
import { type Asking, plain } from "./use.ts";

/** What a function's process saw of a call (`TableUse`) is all that IAM asks about. */
export const questionsOfDynamoDb: Asking = (action, input, { region, account }) => {
  const table = `arn:aws:dynamodb:${region}:${account}:table/${requiredText(input, "table")}`;
  const index = optionalText(input, "index");
  return [plain(`dynamodb:${action}`, index === null ? table : `${table}/index/${index}`)];
};
