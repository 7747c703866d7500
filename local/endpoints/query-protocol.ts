/** The EC2 Query protocol (and the plain Query protocol of IAM and STS): forms in, XML out. */

type Nested = { [key: string]: Nested | Nested[] | string };

/**
 * `Filter.1.Name=a&Filter.1.Value.1=b` becomes `{Filter: [{Name: "a", Value: ["b"]}]}`. Numbered members become
 * arrays in the order of their numbers; leaves stay strings.
 */
export function decodeForm(body: string): { action: string; input: Record<string, unknown> } {
  const root: Nested = Object.create(null) as Nested;
  let action = "";
  for (const [name, value] of new URLSearchParams(body)) {
    if (name === "Action") action = value;
    else if (name !== "Version") insert(root, name.split("."), value);
  }
  return { action, input: Object.fromEntries(Object.entries(root).map(([k, value]) => [k, gather(value)])) };
}

function insert(root: Nested, path: readonly string[], value: string): void {
  let at = root;
  for (const part of path.slice(0, -1)) {
    const next = at[part];
    if (typeof next === "object" && !Array.isArray(next)) at = next;
    else {
      const made: Nested = Object.create(null) as Nested;
      at[part] = made;
      at = made;
    }
  }
  at[path.at(-1) ?? ""] = value;
}

function gather(value: Nested | Nested[] | string): unknown {
  if (typeof value === "string" || Array.isArray(value)) return value;
  const keys = Object.keys(value);
  if (keys.length > 0 && keys.every((key) => /^\d+$/.test(key))) {
    return keys
      .map(Number)
      .sort((a, b) => a - b)
      .map((key) => gather(value[String(key)] ?? ""));
  }
  return Object.fromEntries(keys.map((key) => [key, gather(value[key] ?? "")]));
}

const ec2Namespace = "http://ec2.amazonaws.com/doc/2016-11-15/";
const queryNamespaces = {
  iam: "https://iam.amazonaws.com/doc/2010-05-08/",
  sts: "https://sts.amazonaws.com/doc/2011-06-15/",
} as const;
export type QueryService = keyof typeof queryNamespaces;

export function encodeEc2Answer(
  action: string,
  output: Readonly<Record<string, unknown>>,
  requestId: string,
): string {
  return `${declaration}<${action}Response xmlns="${ec2Namespace}"><requestId>${requestId}</requestId>${encodeFields(output, "item")}</${action}Response>`;
}

export function encodeEc2Error(code: string, message: string, requestId: string): string {
  return `${declaration}<Response><Errors><Error><Code>${escapeText(code)}</Code><Message>${escapeText(message)}</Message></Error></Errors><RequestID>${requestId}</RequestID></Response>`;
}

export function encodeQueryAnswer(
  service: QueryService,
  action: string,
  output: Readonly<Record<string, unknown>>,
  requestId: string,
): string {
  const namespace = queryNamespaces[service];
  const result = encodeFields(output, "member");
  return `${declaration}<${action}Response xmlns="${namespace}"><${action}Result>${result}</${action}Result><ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata></${action}Response>`;
}

export function encodeQueryError(
  service: QueryService,
  code: string,
  message: string,
  requestId: string,
): string {
  const namespace = queryNamespaces[service];
  return `${declaration}<ErrorResponse xmlns="${namespace}"><Error><Type>Sender</Type><Code>${escapeText(code)}</Code><Message>${escapeText(message)}</Message></Error><RequestId>${requestId}</RequestId></ErrorResponse>`;
}

const declaration = '<?xml version="1.0" encoding="UTF-8"?>\n';

/** EC2 and the other services have different names for the members of a list. */
type ListElement = "item" | "member";

function encodeFields(fields: Readonly<Record<string, unknown>>, element: ListElement): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([name, value]) => `<${name}>${encodeValue(value, element)}</${name}>`)
    .join("");
}

function encodeValue(value: unknown, element: ListElement): string {
  if (Array.isArray(value)) {
    return value.map((item) => `<${element}>${encodeValue(item, element)}</${element}>`).join("");
  }
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "object" && value !== null) {
    return encodeFields(value as Record<string, unknown>, element);
  }
  return escapeText(String(value));
}

function escapeText(text: string): string {
  return (
    text
      .replaceAll("&", "&amp;")
      .replaceAll("<", "&lt;")
      .replaceAll(">", "&gt;")
      // XML 1.0 has no way to write most control characters.
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken out
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, "")
  );
}
