import { defineRoute, noBody, noQuery, type Route } from "@pgherd/layers/runtime/http";
import type { ApiContext } from "../context.ts";
import { operationAnswer, operationParams } from "../schemas.ts";
import { findOperation } from "./find.ts";

export function getOperation(context: ApiContext): Route {
  return defineRoute(
    {
      method: "get",
      path: "/v1/operations/{operationId}",
      operationId: "getOperation",
      tag: "operations",
      summary: "Get an operation",
      description:
        "Its state, its steps and how far it is. It has ended when `endedAt` is not null. Operations stay when their cluster is deleted.",
      role: "viewer",
      isMutation: false,
      params: operationParams,
      query: noQuery,
      body: noBody,
      responses: { 200: { description: "The operation.", schema: operationAnswer } },
      problems: ["not-found"],
    },
    async ({ params }) => ({ status: 200, body: await findOperation(context, params.operationId) }),
  );
}
