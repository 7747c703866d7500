/** Why something did not work, small enough to be recorded and clear enough to be shown. */
export interface Failure {
  readonly step: string;
  readonly nodeId: string | null;
  readonly code: string;
  readonly message: string;
}

/** Longer messages are noise in an operation's error; the log has the whole. */
const messageCharactersMax = 600;

export function failureOf(error: unknown, step: string, nodeId: string | null): Failure {
  const message = error instanceof Error ? error.message : String(error);
  return { step, nodeId, code: codeOf(error), message: message.slice(0, messageCharactersMax) };
}

/** Our own errors carry a code; AWS's are known by their name. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "internal";
  if ("code" in error && typeof error.code === "string") return error.code;
  if ("$metadata" in error) return kebab(error.name);
  return error.name === "Error" || error.name === "TypeError" ? "internal" : kebab(error.name);
}

const kebab = (name: string): string =>
  name
    .replace(/(Error|Exception)$/, "")
    .replace(/[^A-Za-z0-9]+/g, "-")
    .replace(/([a-z0-9])([A-Z])/g, "$1-$2")
    .toLowerCase();

export function sentenceOf(failure: Failure): string {
  const where = failure.nodeId === null ? "" : ` on node ${failure.nodeId}`;
  return `${failure.step}${where}: ${failure.message}`;
}

/** Node.js's codes of connections that broke or never came about. */
const connectionCodes = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "UND_ERR_SOCKET",
]);
/** Names of AWS errors that another try may not meet again. */
const passingNames = new Set([
  "TimeoutError",
  "ThrottlingException",
  "Throttling",
  "RequestLimitExceeded",
  "TooManyRequestsException",
  "ProvisionedThroughputExceededException",
  "TransactionConflictException",
  "InternalServerError",
  "InternalServerException",
  "InternalError",
  "ServiceUnavailable",
  "Unavailable",
  "SlowDown",
]);
const statusTooManyRequests = 429;
const statusServerError = 500;
/** How deep chains of causes are followed; a longer one is a loop. */
const causesMax = 8;

/** True for what may pass by itself: throttling, an overloaded service, a broken connection. Everything else is final. */
export function isPassing(error: unknown, depth = 0): boolean {
  if (!(error instanceof Error) || depth === causesMax) return false;
  if (passingNames.has(error.name)) return true;
  /** An error with a code of our own has judged its cause already. */
  if ("code" in error && typeof error.code === "string") return connectionCodes.has(error.code);
  const status = httpStatusOf(error);
  if (status !== null) return status === statusTooManyRequests || status >= statusServerError;
  return isPassing(error.cause, depth + 1);
}

function httpStatusOf(error: Error): number | null {
  if (!("$metadata" in error)) return null;
  const metadata = error.$metadata;
  if (typeof metadata !== "object" || metadata === null || !("httpStatusCode" in metadata)) return null;
  return typeof metadata.httpStatusCode === "number" ? metadata.httpStatusCode : null;
}
