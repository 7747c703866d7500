import { optionalObject, optionalText, requiredText } from "../endpoints/input.ts";
import { type Asking, plain } from "./use.ts";

export const questionsOfScheduler: Asking = (action, input, { region, account }) => {
  if (action === "ListSchedules") return [plain("scheduler:ListSchedules", "*")];
  const schedule = `${optionalText(input, "GroupName") ?? "default"}/${requiredText(input, "Name")}`;
  const role = optionalText(optionalObject(input, "Target"), "RoleArn");
  return [
    plain(`scheduler:${action}`, `arn:aws:scheduler:${region}:${account}:schedule/${schedule}`),
    ...(role === null
      ? []
      : [
          {
            action: "iam:PassRole",
            resource: role,
            circumstances: { "iam:PassedToService": "scheduler.amazonaws.com" },
          },
        ]),
  ];
};
