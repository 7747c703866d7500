import { randomUUID } from "node:crypto";
import type { MachineDriver } from "../../machines/driver.ts";
import type { Collection, Documents } from "../../state/documents.ts";
import {
  isObject,
  objectList,
  optionalNumber,
  optionalText,
  page,
  requiredText,
  textList,
} from "../input.ts";
import { ServiceError } from "../service.ts";
import type { Agents, MachineInventory } from "./agent.ts";
import { answerCommand, answerInvocation, answerListedInvocation } from "./command-answers.ts";
import {
  bindParameters,
  type CommandDocument,
  type CommandDocuments,
  timeoutSecondsOf,
} from "./command-documents.ts";
import { isEnded, type StoredCommand, type StoredInvocation } from "./command-records.ts";
import { runScript } from "./run-script.ts";
import { matchesInformationFilter, matchesTarget } from "./targets.ts";

type Input = Readonly<Record<string, unknown>>;
type Output = Record<string, unknown>;

/** AWS keeps thirty days of commands; this is more than a day of ours. */
const commandsKept = 5_000;
const instancesPerCommandMax = 50;

/** Run Command: scripts of our documents, in the machines. */
export class Commands {
  readonly #commands: Collection<StoredCommand>;
  readonly #invocations: Collection<StoredInvocation>;
  readonly #documents: CommandDocuments;
  readonly #driver: MachineDriver;
  readonly #agents: Agents;
  readonly #inventory: MachineInventory;
  readonly #running = new Map<string, Promise<void>>();

  constructor(options: {
    documents: Documents;
    commandDocuments: CommandDocuments;
    driver: MachineDriver;
    agents: Agents;
    inventory: MachineInventory;
  }) {
    this.#commands = options.documents.collection("ssm-commands");
    this.#invocations = options.documents.collection("ssm-invocations");
    this.#documents = options.commandDocuments;
    this.#driver = options.driver;
    this.#agents = options.agents;
    this.#inventory = options.inventory;
  }

  readonly actions: Readonly<Record<string, (input: Input) => Promise<Output>>> = {
    SendCommand: (input) => this.#send(input),
    GetCommandInvocation: async (input) =>
      answerInvocation(
        this.#requireInvocation(requiredText(input, "CommandId"), requiredText(input, "InstanceId")),
      ),
    ListCommands: async (input) => this.#listCommands(input),
    ListCommandInvocations: async (input) => this.#listInvocations(input),
    CancelCommand: async (input) => this.#cancel(input),
    DescribeInstanceInformation: (input) => this.#describeInstances(input),
  };

  /**
   * What the previous control plane sent and did not see end. Its outcome is unknown: it is ended as undeliverable,
   * and who sent it sends it again (the node program knows what it has done).
   */
  recover(): void {
    for (const invocation of this.#invocations.list()) {
      if (isEnded(invocation.status)) continue;
      this.#store({
        ...invocation,
        status: "Failed",
        statusDetails: "Undeliverable",
        responseCode: -1,
        endedAt: Date.now(),
      });
    }
  }

  /** Resolves when no command runs. */
  async settled(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  async #send(input: Input): Promise<Output> {
    const document = this.#documents.require(requiredText(input, "DocumentName"));
    const parameters = parametersOf(input);
    const bound = bindParameters(document, parameters);
    const timeoutSeconds = timeoutSecondsOf(document, bound);
    optionalNumber(input, "TimeoutSeconds", { min: 30, max: 2_592_000 });
    const instanceIds = await this.#resolveTargets(input);
    const command: StoredCommand = {
      commandId: randomUUID(),
      documentName: document.name,
      comment: optionalText(input, "Comment") ?? "",
      parameters,
      instanceIds: textList(input, "InstanceIds"),
      targets: objectList(input, "Targets"),
      requestedAt: Date.now(),
      timeoutSeconds,
    };
    const invocations = instanceIds.map((instanceId) => pendingInvocation(command, instanceId));
    this.#commands.put(command.commandId, command);
    for (const invocation of invocations) this.#store(invocation);
    for (const invocation of invocations) this.#start(invocation, document, bound, timeoutSeconds);
    this.#forgetOld();
    return { Command: answerCommand(command, invocations) };
  }

  #start(
    invocation: StoredInvocation,
    document: CommandDocument,
    bound: Readonly<Record<string, string>>,
    timeoutSeconds: number,
  ): void {
    const key = invocationKey(invocation.commandId, invocation.instanceId);
    const run = this.#run(invocation, document, bound, timeoutSeconds).finally(() =>
      this.#running.delete(key),
    );
    this.#running.set(key, run);
  }

  async #run(
    pending: StoredInvocation,
    document: CommandDocument,
    bound: Readonly<Record<string, string>>,
    timeoutSeconds: number,
  ): Promise<void> {
    const started: StoredInvocation = {
      ...pending,
      status: "InProgress",
      statusDetails: "InProgress",
      startedAt: Date.now(),
    };
    this.#store(started);
    const outcome = await runScript(
      { driver: this.#driver, environment: this.#agents.environment },
      started.instanceId,
      document,
      bound,
      timeoutSeconds,
    );
    const current = this.#invocations.get(invocationKey(started.commandId, started.instanceId));
    // Cancelled while it ran: that answer stands.
    if (current !== undefined && isEnded(current.status)) return;
    this.#store({ ...started, ...outcome, endedAt: Date.now() });
  }

  async #resolveTargets(input: Input): Promise<readonly string[]> {
    const instanceIds = textList(input, "InstanceIds");
    const targets = objectList(input, "Targets");
    if (instanceIds.length > 0 === targets.length > 0) {
      throw new ServiceError("ValidationException", "Specify either InstanceIds or Targets.");
    }
    if (instanceIds.length > instancesPerCommandMax) {
      throw new ServiceError(
        "ValidationException",
        `At most ${instancesPerCommandMax} instance ids fit a command.`,
      );
    }
    if (targets.length > 0) {
      const matching = this.#inventory
        .listMachines()
        .filter((machine) => targets.every((target) => matchesTarget(machine, target)))
        .map((machine) => machine.instanceId);
      return this.#onlyOnline(matching);
    }
    const online = await this.#onlyOnline(instanceIds);
    const missing = instanceIds.filter((id) => !online.includes(id));
    if (missing.length > 0) {
      throw new ServiceError(
        "InvalidInstanceId",
        `Instances [[${missing.join(", ")}]] not in a valid state for account`,
      );
    }
    return online;
  }

  async #onlyOnline(instanceIds: readonly string[]): Promise<readonly string[]> {
    const states = await Promise.all(instanceIds.map((id) => this.#agents.isOnline(id)));
    return instanceIds.filter((_, index) => states[index] === true);
  }

  #listCommands(input: Input): Output {
    const commandId = optionalText(input, "CommandId");
    const instanceId = optionalText(input, "InstanceId");
    const matching = this.#commands
      .list()
      .filter((command) => commandId === null || command.commandId === commandId)
      .map((command) => ({ command, invocations: this.#invocationsOf(command.commandId) }))
      .filter(
        ({ invocations }) =>
          instanceId === null || invocations.some((item) => item.instanceId === instanceId),
      )
      .sort((a, b) => b.command.requestedAt - a.command.requestedAt);
    const { items, next } = page(matching, input, { default: 50, max: 50 });
    return {
      Commands: items.map(({ command, invocations }) => answerCommand(command, invocations)),
      ...next,
    };
  }

  #listInvocations(input: Input): Output {
    const commandId = optionalText(input, "CommandId");
    const instanceId = optionalText(input, "InstanceId");
    const matching = this.#invocations
      .list()
      .filter((item) => commandId === null || item.commandId === commandId)
      .filter((item) => instanceId === null || item.instanceId === instanceId)
      .sort((a, b) => b.requestedAt - a.requestedAt);
    const details = input["Details"] === true;
    const { items, next } = page(matching, input, { default: 50, max: 50 });
    return { CommandInvocations: items.map((item) => answerListedInvocation(item, details)), ...next };
  }

  #cancel(input: Input): Output {
    const commandId = requiredText(input, "CommandId");
    if (this.#commands.get(commandId) === undefined)
      throw new ServiceError("InvalidCommandId", "No such command.");
    const wanted = textList(input, "InstanceIds");
    for (const invocation of this.#invocationsOf(commandId)) {
      if (isEnded(invocation.status)) continue;
      if (wanted.length > 0 && !wanted.includes(invocation.instanceId)) continue;
      this.#store({
        ...invocation,
        status: "Cancelled",
        statusDetails: "Cancelled",
        responseCode: -1,
        endedAt: Date.now(),
      });
    }
    return {};
  }

  async #describeInstances(input: Input): Promise<Output> {
    const filters = [...objectList(input, "Filters"), ...objectList(input, "InstanceInformationFilterList")];
    const matching = this.#inventory
      .listMachines()
      .filter((machine) => filters.every((filter) => matchesInformationFilter(machine, filter)));
    const { items, next } = page(matching, input, { default: 10, max: 50 });
    const online = await this.#onlyOnline(items.map((machine) => machine.instanceId));
    return {
      InstanceInformationList: items
        .filter((machine) => online.includes(machine.instanceId))
        .map((machine) => ({
          InstanceId: machine.instanceId,
          PingStatus: "Online",
          LastPingDateTime: Date.now() / 1000,
          AgentVersion: "3.3.2746.0",
          PlatformType: "Linux",
          ResourceType: "EC2Instance",
          IPAddress: machine.address,
          ComputerName: machine.hostname,
        })),
      ...next,
    };
  }

  #requireInvocation(commandId: string, instanceId: string): StoredInvocation {
    const invocation = this.#invocations.get(invocationKey(commandId, instanceId));
    if (invocation === undefined) {
      throw new ServiceError(
        "InvocationDoesNotExist",
        "The command ID and managed node ID you specified didn't match any invocations.",
      );
    }
    return invocation;
  }

  #invocationsOf(commandId: string): readonly StoredInvocation[] {
    return this.#invocations.listFrom(`${commandId}:`);
  }

  #store(invocation: StoredInvocation): void {
    this.#invocations.put(invocationKey(invocation.commandId, invocation.instanceId), invocation);
  }

  #forgetOld(): void {
    const extra = this.#commands.count() - commandsKept;
    if (extra <= 0) return;
    const oldest = this.#commands
      .list()
      .sort((a, b) => a.requestedAt - b.requestedAt)
      // More than needed, so that the list is not read again for every command.
      .slice(0, extra + commandsKept / 10);
    for (const { commandId } of oldest) {
      for (const { instanceId } of this.#invocationsOf(commandId)) {
        this.#invocations.delete(invocationKey(commandId, instanceId));
      }
      this.#commands.delete(commandId);
    }
  }
}

function pendingInvocation(command: StoredCommand, instanceId: string): StoredInvocation {
  return {
    commandId: command.commandId,
    instanceId,
    documentName: command.documentName,
    comment: command.comment,
    status: "Pending",
    statusDetails: "Pending",
    responseCode: -1,
    stdout: "",
    stderr: "",
    requestedAt: command.requestedAt,
    startedAt: null,
    endedAt: null,
  };
}

function invocationKey(commandId: string, instanceId: string): string {
  return `${commandId}:${instanceId}`;
}

function parametersOf(input: Input): Readonly<Record<string, readonly string[]>> {
  const parameters = input["Parameters"];
  if (parameters === undefined || parameters === null) return {};
  if (!isObject(parameters))
    throw new ServiceError("InvalidParameters", "Parameters must be a map of lists.");
  return Object.fromEntries(Object.keys(parameters).map((name) => [name, textList(parameters, name)]));
}
