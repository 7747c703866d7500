/** The node says no. `code` is stable, the message is for people and holds no secret. */
export class NodeFailure extends Error {
  readonly code: string;

  constructor(message: string, options: { code: string; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "NodeFailure";
    this.code = options.code;
  }
}
