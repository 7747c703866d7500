import { OpenAPIHono, type RouteConfig, z } from "@hono/zod-openapi";
import { type ProblemCode, problemKinds } from "../../domain/problems.ts";
import { answerSchema } from "./answer-schema.ts";
import { tagListPattern } from "./entity-tag.ts";
import { keyPattern, retentionHours } from "./idempotency.ts";
import { nameOf } from "./named.ts";
import { noBody, type ResponseDefinition, type Route, type RouteDefinition } from "./route.ts";

export type OpenApiDocument = ReturnType<OpenAPIHono["getOpenAPI31Document"]>;

const allCodes = Object.keys(problemKinds) as ProblemCode[];

const problemSchema = answerSchema("Problem", () =>
  z.object({
    type: z.string().meta({ description: "Where the code is described, relative to this API's address." }),
    title: z.string(),
    status: z.int(),
    detail: z.string().meta({ description: "What was wrong here, and what would be right." }),
    code: z.enum(allCodes as [ProblemCode, ...ProblemCode[]]),
    requestId: z.string().meta({ description: "The log has the request under this id." }),
    errors: z
      .array(
        z.object({
          path: z
            .string()
            .meta({ description: "JSON pointer into the body, or the name of a parameter or header." }),
          message: z.string(),
        }),
      )
      .optional(),
  }),
);

const requestIdHeader = {
  "X-Request-Id": { description: "The request's id.", schema: { type: "string" } },
} as const;

const description = `The management API of one pgherd environment.

Mutations write intent and answer \`202\` with an operation, which does the work and can be watched step by step. A cluster runs one operation at a time.

**Roles.** A \`viewer\` reads; an \`operator\` also creates clusters and cancels operations; an \`admin\` also deletes clusters.

**Repeating a call.** Send an \`Idempotency-Key\` with every mutation. For ${retentionHours} hours the same key with the same request gets the same answer, with \`Idempotent-Replayed: true\`, and nothing happens twice; with another request it gets \`idempotency-key-reused\`. Refusals are not remembered.

**Errors** are \`application/problem+json\` (RFC 9457) with a stable \`code\`. Unknown fields and unknown parameters are refused. The gateway in front answers \`401\` and \`429\` itself, without a \`code\`.`;

/** The document, from the same schemas that check every request. */
export function buildDocument(routes: readonly Route[]): OpenApiDocument {
  const { openAPIRegistry: registry, getOpenAPI31Document } = new OpenAPIHono();
  registry.registerComponent("securitySchemes", "token", {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
    description: "Where the environment names an issuer: a token with the claims `sub` and `role`.",
  });
  registry.registerComponent("securitySchemes", "iam", {
    type: "apiKey",
    in: "header",
    name: "Authorization",
    description: "Elsewhere: AWS Signature Version 4 for `execute-api` by a principal that has a role.",
  });
  registry.register("Problem", problemSchema());
  for (const { definition } of routes) registry.registerPath(pathOf(definition));
  const document = getOpenAPI31Document({
    openapi: "3.1.0",
    info: { title: "pgherd", version: "1", description },
    servers: [{ url: "/" }],
    tags: [
      { name: "clusters", description: "PostgreSQL clusters and how they are." },
      { name: "backups", description: "Backups of clusters, and what can be restored." },
      { name: "operations", description: "Work on clusters." },
      { name: "meta", description: "The API itself." },
    ],
  });
  return {
    ...document,
    components: {
      ...document.components,
      responses: { MethodNotAllowed: methodNotAllowed, NotFound: notFound },
    },
  };
}

const problemResponse = (text: string) => ({
  description: text,
  content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
});
const methodNotAllowed = problemResponse(
  "`method-not-allowed`: any path with a method that it does not have. `Allow` names those it has.",
);
const notFound = problemResponse("`not-found`: any path that is not described here.");

function pathOf(definition: RouteDefinition): RouteConfig {
  const { method, path, operationId, tag, summary, role } = definition;
  const headers = headersOf(definition);
  const hasBody = definition.body !== noBody;
  return {
    method,
    path,
    operationId,
    tags: [tag],
    summary,
    description: definition.description,
    security: role === null ? [] : [{ token: [] }, { iam: [] }],
    ...(role === null ? {} : { "x-role": role }),
    request: {
      params: definition.params,
      query: definition.query,
      ...(headers === null ? {} : { headers }),
      ...(hasBody ? { body: bodyOf(definition) } : {}),
    },
    responses: { ...successes(definition), ...failures(definition) },
  };
}

function bodyOf(definition: RouteDefinition) {
  const { body, bodyTypes = ["application/json"], example } = definition;
  const name = nameOf(body);
  const schema = name === undefined ? body : answerSchema(name, () => body)();
  const one = { schema, ...(example === undefined ? {} : { example }) };
  const content = Object.fromEntries(bodyTypes.map((type) => [type, one]));
  return { required: true, content };
}

function headersOf({ isMutation, isConditional }: RouteDefinition): z.ZodObject | null {
  if (!isMutation) return null;
  return z.object({
    "Idempotency-Key": z
      .string()
      .regex(keyPattern)
      .optional()
      .meta({
        description: `Your own name for this call, good for ${retentionHours} hours. Dry runs ignore it.`,
      }),
    ...(isConditional === true
      ? {
          "If-Match": z.string().regex(tagListPattern).optional().meta({
            description: "The `ETag` by which you decided: at another generation the call is refused.",
          }),
        }
      : {}),
  });
}

function successes({ responses, isMutation }: RouteDefinition): RouteConfig["responses"] {
  const described = (response: ResponseDefinition, isAccepted: boolean) => ({
    description: response.description,
    headers: {
      ...requestIdHeader,
      ...Object.fromEntries(
        Object.entries(response.headers ?? {}).map(([name, text]) => [
          name,
          { description: text, schema: { type: "string" as const } },
        ]),
      ),
      ...(isAccepted
        ? {
            "Idempotent-Replayed": {
              description: "`true` where an earlier call with the same key did the work.",
              schema: { type: "string" as const },
            },
          }
        : {}),
    },
    content: { [response.contentType ?? "application/json"]: { schema: response.schema?.() ?? z.unknown() } },
  });
  return Object.fromEntries(
    Object.entries(responses).map(([status, response]) => [
      status,
      described(response, isMutation && status !== "200"),
    ]),
  );
}

/** The problems that a route can answer with, by status. */
function problemsOf(definition: RouteDefinition): ProblemCode[] {
  const { role, method, isMutation, problems } = definition;
  const codes: ProblemCode[] = [
    "invalid-request",
    "internal",
    ...(role === null ? [] : (["unauthenticated", "forbidden"] as const)),
    ...(method === "get" ? [] : (["malformed-json", "unsupported-media-type", "body-too-large"] as const)),
    ...(isMutation ? (["idempotency-key-reused"] as const) : []),
    ...problems,
  ];
  return allCodes.filter((code) => codes.includes(code));
}

function failures(definition: RouteDefinition): RouteConfig["responses"] {
  const byStatus = Object.groupBy(problemsOf(definition), (code) => problemKinds[code].status);
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, codes = []]) => [
      status,
      {
        description: codes.map((code) => `\`${code}\`: ${problemKinds[code].title}.`).join(" "),
        headers: requestIdHeader,
        content: { "application/problem+json": { schema: narrowed(codes) } },
      },
    ]),
  );
}

function narrowed(codes: readonly ProblemCode[]) {
  return {
    allOf: [{ $ref: "#/components/schemas/Problem" }, { properties: { code: { enum: [...codes] } } }],
  };
}
