import { setTimeout as sleep } from "node:timers/promises";
import {
  DescribeInstanceInformationCommand,
  GetCommandInvocationCommand,
  type GetCommandInvocationCommandOutput,
  SendCommandCommand,
  SSMClient,
  type SSMClientConfig,
} from "@aws-sdk/client-ssm";
import type { EnvironmentSettings } from "../domain/environment.ts";
import { type NodeCommands, type NodeVerb, nodeAnswerSchema, nodeVerbs } from "../domain/node/protocol.ts";
import { CommandError, type CommandTarget, type NodeCommandPort } from "../ports/commands.ts";
import { clientBehaviour } from "./clients.ts";
import { isAwsError } from "./errors.ts";
import { traceWork } from "./trace.ts";
import { DeadlineError, waitFor } from "./wait.ts";

/** SSM gives up delivering a command after this; 30 s is the least that it takes. */
const deliverySecondsMin = 30;
/** The end of standard error says why; the beginning is noise of starting up. */
const stderrCharactersMax = 400;
/** What SSM says of an instance whose agent has not registered yet. */
const unknownYet = ["InvalidInstanceId"];
/** States in which a command may still come to an answer. */
const openStatuses: readonly (string | undefined)[] = ["Pending", "InProgress", "Delayed", "Cancelling"];

/** Sent again and again; a node takes about as long for them each time. */
const routineVerbs: readonly NodeVerb[] = ["survey", "inspect", "observe"];
/** Of the time that a routine verb took before: an answer is not asked for earlier, because SSM counts questions. */
const firstLookShare = 0.8;
/** Nobody waits for long without a look because a node was slow once. */
const firstLookMsMax = 2_000;
/** So much longer than before an answer may be expected to take; shorter is believed at once. */
const growthMax = 1.25;

/** Verbs of the node program by SSM SendCommand and our own document. Inputs and outputs hold no secret. */
export class SsmNodeCommands implements NodeCommandPort {
  readonly #client: SSMClient;
  readonly #settings: EnvironmentSettings;
  /** How long routine verbs took lately. */
  readonly #usualMs = new Map<NodeVerb, number>();

  constructor(settings: EnvironmentSettings, config: SSMClientConfig = {}) {
    this.#client = new SSMClient({ ...clientBehaviour, ...config });
    this.#settings = settings;
  }

  awaitOnline: NodeCommandPort["awaitOnline"] = async (instanceId, deadlineSeconds) => {
    try {
      await waitFor(`the agent of ${instanceId} taking commands`, deadlineSeconds * 1000, () =>
        this.#online(instanceId),
      );
    } catch (error) {
      throw missedDeadline(error, "node-not-online", instanceId);
    }
  };

  /** An instance whose agent has never registered is none that SSM knows: it says so with an error. */
  async #online(instanceId: string): Promise<true | undefined> {
    const filters = [{ Key: "InstanceIds", Values: [instanceId] }];
    try {
      const answer = await this.#client.send(new DescribeInstanceInformationCommand({ Filters: filters }));
      return answer.InstanceInformationList?.[0]?.PingStatus === "Online" ? true : undefined;
    } catch (error) {
      if (isAwsError(error, unknownYet)) return undefined;
      throw error;
    }
  }

  async run<V extends NodeVerb>(
    target: CommandTarget,
    verb: V,
    input: NodeCommands[V]["input"],
  ): Promise<NodeCommands[V]["output"]> {
    const beganMs = Date.now();
    let error: string | null = null;
    try {
      return await this.#run(target, verb, input);
    } catch (caught) {
      error = caught instanceof CommandError ? caught.code : "failed";
      throw caught;
    } finally {
      const { instanceId, operationId, step } = target;
      const annotations = { verb, instanceId, operationId, step };
      await traceWork({ name: `node ${verb}`, beganMs, endedMs: Date.now(), annotations, error });
    }
  }

  async #run<V extends NodeVerb>(
    target: CommandTarget,
    verb: V,
    input: NodeCommands[V]["input"],
  ): Promise<NodeCommands[V]["output"]> {
    const checkedInput = nodeVerbs[verb].input.parse(input);
    const deadlineMs = target.deadlineSeconds * 1000;
    try {
      const commandId = await this.#send(target, verb, checkedInput, deadlineMs);
      const sentMs = performance.now();
      const usualMs = this.#usualMs.get(verb);
      if (usualMs !== undefined) await sleep(Math.min(usualMs * firstLookShare, firstLookMsMax));
      const leftMs = deadlineMs - (performance.now() - sentMs);
      const invocation = await waitFor(`the answer to ${verb} from ${target.instanceId}`, leftMs, () =>
        this.#ended(commandId, target.instanceId),
      );
      if (routineVerbs.includes(verb)) {
        const tookMs = performance.now() - sentMs;
        this.#usualMs.set(verb, Math.min(tookMs, (usualMs ?? tookMs) * growthMax));
      }
      return outputOf(invocation, target, verb);
    } catch (error) {
      throw missedDeadline(error, "command-deadline", target.instanceId);
    }
  }

  /** An agent that was online a moment ago can be unknown for another moment. */
  #send(target: CommandTarget, verb: NodeVerb, input: unknown, deadlineMs: number): Promise<string> {
    const { nodeProgram, nodeDocument } = this.#settings;
    const command = new SendCommandCommand({
      DocumentName: nodeDocument,
      InstanceIds: [target.instanceId],
      TimeoutSeconds: Math.max(deliverySecondsMin, target.deadlineSeconds),
      Parameters: {
        Program: [nodeProgram.sha256],
        Bucket: [nodeProgram.bucket],
        Key: [nodeProgram.key],
        Verb: [verb],
        Input: [Buffer.from(JSON.stringify(input)).toString("base64")],
        Operation: [target.operationId],
        Step: [target.step],
      },
    });
    return waitFor(`sending ${verb} to ${target.instanceId}`, deadlineMs, async () => {
      try {
        return (await this.#client.send(command)).Command?.CommandId;
      } catch (error) {
        if (isAwsError(error, unknownYet)) return undefined;
        throw error;
      }
    });
  }

  async #ended(
    commandId: string,
    instanceId: string,
  ): Promise<GetCommandInvocationCommandOutput | undefined> {
    try {
      const invocation = await this.#client.send(
        new GetCommandInvocationCommand({ CommandId: commandId, InstanceId: instanceId }),
      );
      return openStatuses.includes(invocation.Status) ? undefined : invocation;
    } catch (error) {
      if (isAwsError(error, ["InvocationDoesNotExist"])) return undefined;
      throw error;
    }
  }
}

function missedDeadline(error: unknown, code: string, instanceId: string): unknown {
  return error instanceof DeadlineError
    ? new CommandError(code, instanceId, error.message, { cause: error })
    : error;
}

function outputOf<V extends NodeVerb>(
  invocation: GetCommandInvocationCommandOutput,
  target: CommandTarget,
  verb: V,
): NodeCommands[V]["output"] {
  const answer = nodeAnswerSchema.safeParse(parsed(invocation.StandardOutputContent ?? ""));
  if (!answer.success) {
    throw new CommandError(
      "no-answer",
      target.instanceId,
      `${verb} on ${target.instanceId} ended ${invocation.Status ?? "without status"} with exit code ${invocation.ResponseCode ?? "unknown"} and no answer. ${stderrTail(invocation)}`,
      { cause: answer.error },
    );
  }
  if (!answer.data.ok) {
    const { code, message } = answer.data.error;
    throw new CommandError(code, target.instanceId, `${verb} on ${target.instanceId}: ${message}`);
  }
  const output = nodeVerbs[verb].output.safeParse(answer.data.output);
  if (!output.success) {
    throw new CommandError(
      "unknown-answer",
      target.instanceId,
      `${verb} on ${target.instanceId} answered what its schema does not allow`,
      {
        cause: output.error,
      },
    );
  }
  /** The schema that just accepted it is the verb's own; TypeScript does not follow an indexed union that far. */
  return output.data as NodeCommands[V]["output"];
}

/** Null where the node printed something else than JSON. */
function parsed(stdout: string): unknown {
  const line = stdout.trim().split("\n").at(-1) ?? "";
  try {
    return JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function stderrTail(invocation: GetCommandInvocationCommandOutput): string {
  const stderr = (invocation.StandardErrorContent ?? "").trim();
  return stderr === "" ? "It wrote nothing to stderr." : `stderr: …${stderr.slice(-stderrCharactersMax)}`;
}
