import type { Collection, Documents } from "../../state/documents.ts";
import { optionalNumber, optionalObject, optionalText, page, requiredText } from "../input.ts";
import { ServiceError, serviceError } from "../service.ts";
import { parseCron } from "./cron.ts";

type Input = Readonly<Record<string, unknown>>;
type Output = Record<string, unknown>;

export interface ScheduleRecord {
  readonly group: string;
  readonly name: string;
  readonly expression: string;
  readonly state: string;
  readonly targetArn: string;
  readonly roleArn: string;
  readonly input: string | null;
  readonly eventAgeSecondsMax: number;
  readonly retriesMax: number;
  readonly clientToken: string | null;
  /** Epoch milliseconds. */
  readonly createdAt: number;
  readonly modifiedAt: number;
}

/** AWS's own limits and defaults. */
const namePattern = /^[0-9a-zA-Z\-_.]{1,64}$/;
const expressionCharactersMax = 256;
const eventAge = { min: 60, max: 86_400 };
const retries = { min: 0, max: 185 };
const pageSize = { default: 100, max: 100 };
const states = ["ENABLED", "DISABLED"];

/** Schedules and their groups, kept; the calls about them. */
export class Schedules {
  readonly #schedules: Collection<ScheduleRecord>;
  readonly #groups: Collection<{ readonly name: string }>;
  /** Roles that the scheduler may take on; each deployment says so anew. */
  readonly #roles = new Set<string>();
  readonly #arnPrefix: string;

  constructor(options: { documents: Documents; region: string; account: string }) {
    this.#schedules = options.documents.collection("schedules");
    this.#groups = options.documents.collection("schedule-groups");
    this.#arnPrefix = `arn:aws:scheduler:${options.region}:${options.account}`;
  }

  /** @returns its ARN */
  ensureGroup(name: string): string {
    this.#groups.put(name, { name });
    return `${this.#arnPrefix}:schedule-group/${name}`;
  }

  /** With its schedules, as AWS does. */
  deleteGroup(name: string): void {
    for (const schedule of this.#schedules.listFrom(`${name}/`)) this.#schedules.delete(idOf(schedule));
    this.#groups.delete(name);
  }

  letAssume(roleArn: string): void {
    this.#roles.add(roleArn);
  }

  list(): ScheduleRecord[] {
    return this.#schedules.list();
  }

  arnOf({ group, name }: Pick<ScheduleRecord, "group" | "name">): string {
    return `${this.#arnPrefix}:schedule/${group}/${name}`;
  }

  readonly actions: Readonly<Record<string, (input: Input) => Output>> = {
    CreateSchedule: (input) => this.#create(input),
    UpdateSchedule: (input) => this.#update(input),
    GetSchedule: (input) => this.#describe(this.#found(input)),
    DeleteSchedule: (input) => {
      this.#schedules.delete(idOf(this.#found(input)));
      return {};
    },
    ListSchedules: (input) => this.#list(input),
  };

  #create(input: Input): Output {
    const key = this.#keyOf(input);
    const known = this.#schedules.get(idOf(key));
    const clientToken = optionalText(input, "ClientToken");
    if (known !== undefined) {
      if (clientToken !== null && known.clientToken === clientToken)
        return { ScheduleArn: this.arnOf(known) };
      throw new ServiceError("ConflictException", `Schedule ${key.name} already exists.`, 409);
    }
    return this.#put({ ...key, ...this.#contentOf(input), clientToken, createdAt: Date.now() });
  }

  /** What is left out goes back to its default. */
  #update(input: Input): Output {
    const { clientToken, createdAt, group, name } = this.#found(input);
    return this.#put({ group, name, ...this.#contentOf(input), clientToken, createdAt });
  }

  #put(schedule: Omit<ScheduleRecord, "modifiedAt">): Output {
    this.#schedules.put(idOf(schedule), { ...schedule, modifiedAt: Date.now() });
    return { ScheduleArn: this.arnOf(schedule) };
  }

  #keyOf(input: Input): { readonly group: string; readonly name: string } {
    const [group, name] = [optionalText(input, "GroupName") ?? "default", requiredText(input, "Name")];
    checkName("groupName", group);
    checkName("name", name);
    if (this.#groups.get(group) === undefined) throw missing(`Schedule group ${group} does not exist.`);
    return { group, name };
  }

  #found(input: Input): ScheduleRecord {
    const key = this.#keyOf(input);
    const schedule = this.#schedules.get(idOf(key));
    if (schedule === undefined) throw missing(`Schedule ${key.name} does not exist.`);
    return schedule;
  }

  #contentOf(
    input: Input,
  ): Omit<ScheduleRecord, "group" | "name" | "clientToken" | "createdAt" | "modifiedAt"> {
    const target = optionalObject(input, "Target");
    const retryPolicy = optionalObject(target, "RetryPolicy");
    const roleArn = requiredText(target, "RoleArn");
    if (!this.#roles.has(roleArn)) {
      throw invalid(
        "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.",
      );
    }
    checkWindow(optionalObject(input, "FlexibleTimeWindow"));
    return {
      expression: checkedExpression(input),
      state: checkedState(input),
      targetArn: checkedArn(requiredText(target, "Arn")),
      roleArn,
      input: optionalText(target, "Input"),
      eventAgeSecondsMax: optionalNumber(retryPolicy, "MaximumEventAgeInSeconds", eventAge) ?? eventAge.max,
      retriesMax: optionalNumber(retryPolicy, "MaximumRetryAttempts", retries) ?? retries.max,
    };
  }

  #describe(schedule: ScheduleRecord): Output {
    return {
      Arn: this.arnOf(schedule),
      GroupName: schedule.group,
      Name: schedule.name,
      ScheduleExpression: schedule.expression,
      ScheduleExpressionTimezone: "UTC",
      State: schedule.state,
      FlexibleTimeWindow: { Mode: "OFF" },
      ActionAfterCompletion: "NONE",
      Target: {
        Arn: schedule.targetArn,
        RoleArn: schedule.roleArn,
        ...(schedule.input === null ? {} : { Input: schedule.input }),
        RetryPolicy: {
          MaximumEventAgeInSeconds: schedule.eventAgeSecondsMax,
          MaximumRetryAttempts: schedule.retriesMax,
        },
      },
      CreationDate: schedule.createdAt / 1000,
      LastModificationDate: schedule.modifiedAt / 1000,
    };
  }

  #list(input: Input): Output {
    const group = optionalText(input, "GroupName");
    const prefix = optionalText(input, "NamePrefix") ?? "";
    if (group !== null && this.#groups.get(group) === undefined) {
      throw missing(`Schedule group ${group} does not exist.`);
    }
    const matching = this.#schedules
      .list()
      .filter((one) => (group === null || one.group === group) && one.name.startsWith(prefix));
    const { items, next } = page(matching, input, pageSize);
    return {
      Schedules: items.map((one) => ({
        Arn: this.arnOf(one),
        GroupName: one.group,
        Name: one.name,
        State: one.state,
        Target: { Arn: one.targetArn },
        CreationDate: one.createdAt / 1000,
        LastModificationDate: one.modifiedAt / 1000,
      })),
      ...next,
    };
  }
}

const idOf = ({ group, name }: { readonly group: string; readonly name: string }): string =>
  `${group}/${name}`;

const invalid = (message: string): ServiceError => new ServiceError("ValidationException", message);
const missing = (message: string): ServiceError =>
  new ServiceError("ResourceNotFoundException", message, 404);

function checkName(member: string, name: string): void {
  if (namePattern.test(name)) return;
  throw invalid(
    `Value '${name}' at '${member}' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[0-9a-zA-Z-_.]+$`,
  );
}

function checkedExpression(input: Input): string {
  const expression = requiredText(input, "ScheduleExpression");
  const timezone = optionalText(input, "ScheduleExpressionTimezone") ?? "UTC";
  if (timezone !== "UTC") throw invalid(`The time zone ${timezone} is not known here: schedules are in UTC.`);
  if (expression.length > expressionCharactersMax) {
    throw invalid(
      `Value at 'scheduleExpression' failed to satisfy constraint: Member must have length less than or equal to ${expressionCharactersMax}`,
    );
  }
  try {
    parseCron(expression);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw serviceError({
      code: "ValidationException",
      message: `Invalid Schedule Expression ${expression}: ${reason}.`,
      cause: error,
    });
  }
  return expression;
}

function checkedState(input: Input): string {
  const state = optionalText(input, "State") ?? "ENABLED";
  if (states.includes(state)) return state;
  throw invalid(
    `Value '${state}' at 'state' failed to satisfy constraint: Member must satisfy enum value set: [${states.join(", ")}]`,
  );
}

function checkedArn(arn: string): string {
  if (/^arn:aws:lambda:[^:]+:\d{12}:function:[^:]+(?::[^:]+)?$/.test(arn)) return arn;
  throw invalid(`Provided Arn is not in correct format, or is no function: ${arn}.`);
}

function checkWindow(window: Input): void {
  const mode = requiredText(window, "Mode");
  if (mode !== "OFF") throw invalid(`The flexible time window ${mode} is not known here: it is OFF.`);
}
