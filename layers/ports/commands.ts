import type { NodeCommands, NodeVerb } from "../domain/node/protocol.ts";

/** The command ran and said no, or never answered. `code` is the node program's own where it answered. */
export class CommandError extends Error {
  readonly code: string;
  readonly instanceId: string;

  constructor(code: string, instanceId: string, message: string, options?: { cause: unknown }) {
    super(message, options);
    this.name = "CommandError";
    this.code = code;
    this.instanceId = instanceId;
  }
}

export interface CommandTarget {
  readonly instanceId: string;
  /** The node program remembers what it finished by (operation id, step) and answers again without doing it again. */
  readonly operationId: string;
  readonly step: string;
  readonly deadlineSeconds: number;
}

export interface NodeCommandPort {
  /** Returns when the node's agent takes commands. @throws {CommandError} with code `node-not-online` at the deadline. */
  awaitOnline(instanceId: string, deadlineSeconds: number): Promise<void>;
  /** Runs one verb of the node program and returns its answer. @throws {CommandError} */
  run<V extends NodeVerb>(
    target: CommandTarget,
    verb: V,
    input: NodeCommands[V]["input"],
  ): Promise<NodeCommands[V]["output"]>;
}
