import { defineRoute, noBody, noParams, noQuery, type Route, z } from "@pgherd/layers/runtime/http";

export function openapi(document: () => Promise<unknown>): Route {
  return defineRoute(
    {
      method: "get",
      path: "/openapi.json",
      operationId: "openapi",
      tag: "meta",
      summary: "This API as an OpenAPI 3.1 document",
      description: "Made from the same schemas that check every request.",
      role: null,
      isMutation: false,
      params: noParams,
      query: noQuery,
      body: noBody,
      responses: {
        200: { description: "The document.", schema: () => z.looseObject({ openapi: z.string() }) },
      },
      problems: [],
    },
    async () => ({ status: 200, body: await document() }),
  );
}
