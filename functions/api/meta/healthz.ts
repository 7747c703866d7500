import {
  answerSchema,
  defineRoute,
  noBody,
  noParams,
  noQuery,
  type Route,
  z,
} from "@pgherd/layers/runtime/http";

const health = answerSchema("Health", () => z.object({ status: z.literal("ok") }));

export function healthz(): Route {
  return defineRoute(
    {
      method: "get",
      path: "/healthz",
      operationId: "healthz",
      tag: "meta",
      summary: "Is the API up",
      description: "Answers as soon as the function runs; says nothing about any cluster.",
      role: null,
      isMutation: false,
      params: noParams,
      query: noQuery,
      body: noBody,
      responses: {
        200: { description: "It is.", schema: health },
      },
      problems: [],
    },
    async () => ({ status: 200, body: { status: "ok" } }),
  );
}
