/** What the host and a function's process say to each other over IPC. Payloads stay JSON text on the way. */
export interface InvokeMessage {
  readonly type: "invoke";
  readonly requestId: string;
  readonly payload: string;
  readonly functionArn: string;
  /** X-Ray's header. */
  readonly trace: string;
  /** Epoch milliseconds. */
  readonly deadline: number;
}

export type ProcessMessage =
  /** The handler is loaded. */
  | { readonly type: "ready" }
  /** It cannot be loaded; the process ends. */
  | { readonly type: "init-error"; readonly error: FunctionErrorPayload }
  | { readonly type: "result"; readonly requestId: string; readonly payload: string }
  | { readonly type: "error"; readonly requestId: string; readonly error: FunctionErrorPayload }
  /** The function uses a table in a way that it has not before. */
  | { readonly type: "table"; readonly use: TableUse };

/** A way of using a DynamoDB table, in IAM's words. */
export interface TableUse {
  readonly action: string;
  readonly table: string;
  readonly index: string | null;
}

/** The error document of an invocation that failed, as Lambda writes it. */
export interface FunctionErrorPayload {
  readonly errorType: string;
  readonly errorMessage: string;
  readonly trace?: readonly string[];
}
