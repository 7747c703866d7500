import type { HttpApp } from "@pgherd/layers/runtime/http";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import type { Reply } from "./world.ts";

interface Document {
  readonly paths: Record<
    string,
    Record<string, { responses: Record<string, { content?: Record<string, unknown> }> }>
  >;
}

interface Contract {
  readonly document: Document;
  readonly ajv: Ajv2020;
  readonly validators: Map<string, ValidateFunction>;
}

let contract: Promise<Contract> | undefined;

async function load(app: HttpApp): Promise<Contract> {
  const document = (await (await app.request("/openapi.json")).json()) as Document;
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema(document as never, "api");
  return { document, ajv, validators: new Map() };
}

/** Every answer that a test sees must be one that the document describes: status, type and shape. */
export async function checkAgainstDocument(
  app: HttpApp,
  method: string,
  path: string,
  reply: Reply,
): Promise<void> {
  contract ??= load(app);
  const { document, ajv, validators } = await contract;
  const template = Object.keys(document.paths).find((one) => matches(one, path));
  const operation = template === undefined ? undefined : document.paths[template]?.[method.toLowerCase()];
  const described = template ?? path;
  const where = `${method} ${described} → ${reply.status}`;
  const type = (reply.headers["content-type"] ?? "").split(";")[0] ?? "";
  if (operation === undefined || template === undefined) {
    if (reply.status !== 404 && reply.status !== 405)
      throw new Error(`${where}: the document has no such operation`);
    return;
  }
  const response = operation.responses[String(reply.status)];
  if (response === undefined)
    throw new Error(`${where}: the document does not describe this status: ${reply.text}`);
  if (response.content?.[type] === undefined)
    throw new Error(`${where}: the document does not describe ${type}`);
  if (!type.includes("json")) return;
  const pointer = [
    "paths",
    template,
    method.toLowerCase(),
    "responses",
    String(reply.status),
    "content",
    type,
    "schema",
  ]
    .map((part) => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1")))
    .join("/");
  const validate = validators.get(pointer) ?? ajv.compile({ $ref: `api#/${pointer}` });
  validators.set(pointer, validate);
  if (!validate(reply.body)) throw new Error(`${where}: ${ajv.errorsText(validate.errors)}: ${reply.text}`);
}

function matches(template: string, path: string): boolean {
  return new RegExp(`^${template.replaceAll(".", "\\.").replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(path);
}
