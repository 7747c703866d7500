/** A function's answer in payload format 2.0, read as API Gateway reads it. */
export interface HttpAnswer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: Buffer;
}

/** Null: the function answered something that is no HTTP answer. */
export function readAnswer(payload: string): HttpAnswer | null {
  const value: unknown = payload === "" ? null : JSON.parse(payload);
  if (!isObject(value) || value["statusCode"] === undefined) {
    // Without a status code the whole answer is the body.
    const body = typeof value === "string" ? value : JSON.stringify(value ?? "");
    return { statusCode: 200, headers: { "content-type": "application/json" }, body: Buffer.from(body) };
  }
  const statusCode = Number(value["statusCode"]);
  if (!Number.isInteger(statusCode) || statusCode < 200 || statusCode > 599) return null;
  const headers: Record<string, string | readonly string[]> = {};
  if (isObject(value["headers"])) {
    for (const [name, header] of Object.entries(value["headers"]))
      headers[name.toLowerCase()] = String(header);
  }
  if (Array.isArray(value["cookies"])) headers["set-cookie"] = value["cookies"].map(String);
  headers["content-type"] ??= "text/plain;charset=UTF-8";
  const body = typeof value["body"] === "string" ? value["body"] : "";
  return {
    statusCode,
    headers,
    body: Buffer.from(body, value["isBase64Encoded"] === true ? "base64" : "utf8"),
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
