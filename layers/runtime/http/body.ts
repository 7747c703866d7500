import type { HonoRequest } from "hono";
import { Problem } from "../../domain/problems.ts";
import { jsonPointer } from "./field-errors.ts";

/** Ten times the largest spec that the schema allows in practice, far below what API Gateway lets through. */
export const bodyBytesMax = 65_536;
/** No body that means anything is half as deep. */
const depthMax = 16;

const jsonPattern = /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i;

/** The body's value, or undefined where there is none. @throws {Problem} 413, 415 or 400 */
export async function readBody(request: HonoRequest): Promise<unknown> {
  if (Number(request.header("content-length") ?? 0) > bodyBytesMax) throw tooLarge();
  const bytes = await request.arrayBuffer();
  if (bytes.byteLength > bodyBytesMax) throw tooLarge();
  if (bytes.byteLength === 0) return undefined;
  const contentType = request.header("content-type");
  if (contentType === undefined || !jsonPattern.test(contentType)) {
    const found = contentType === undefined ? "there is no Content-Type" : "this is something else";
    throw new Problem("unsupported-media-type", `The body must be application/json; ${found}.`);
  }
  const value = parse(bytes);
  checkShape(value, []);
  return value;
}

function parse(bytes: ArrayBuffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw malformed(error);
  }
}

/**
 * What no schema sees: a member named `__proto__`, which would be accepted and ignored, and a depth that whoever walks
 * through the body later would not survive.
 */
function checkShape(value: unknown, path: readonly string[]): void {
  if (typeof value !== "object" || value === null) return;
  if (path.length >= depthMax) throw misshapen(path, `must be nested at most ${depthMax} levels deep`);
  for (const [name, inner] of Object.entries(value)) {
    if (name === "__proto__") throw misshapen([...path, name], "is unknown here");
    checkShape(inner, [...path, name]);
  }
}

function misshapen(path: readonly string[], message: string): Problem {
  return new Problem("invalid-request", "The body is nothing that any call takes.", {
    errors: [{ path: jsonPointer(path), message }],
  });
}

function malformed(cause: unknown): Problem {
  return new Problem("malformed-json", `The body cannot be read as JSON in UTF-8: ${reasonOf(cause)}.`, {
    cause,
  });
}

function tooLarge(): Problem {
  return new Problem("body-too-large", `The body must have at most ${bodyBytesMax} bytes.`);
}

/** V8 quotes the text around the mistake; the position alone is enough and echoes nothing. */
function reasonOf(error: unknown): string {
  if (!(error instanceof SyntaxError)) return "it is not UTF-8";
  const position = /position \d+(?: \(line \d+ column \d+\))?/.exec(error.message)?.[0];
  return position === undefined ? "it ends too early or is not JSON" : `a mistake at ${position}`;
}
