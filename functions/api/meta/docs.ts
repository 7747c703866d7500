import {
  type DocsPage,
  defineRoute,
  noBody,
  noParams,
  noQuery,
  type Route,
  z,
} from "@pgherd/layers/runtime/http";

export function docs(page: () => Promise<DocsPage>): Route {
  return defineRoute(
    {
      method: "get",
      path: "/docs",
      operationId: "docs",
      tag: "meta",
      summary: "This API for people",
      description: "One page, made from the OpenAPI document, without anything from elsewhere.",
      role: null,
      isMutation: false,
      params: noParams,
      query: noQuery,
      body: noBody,
      responses: { 200: { description: "The page.", schema: () => z.string(), contentType: "text/html" } },
      problems: [],
    },
    async () => {
      const { html, contentSecurityPolicy } = await page();
      return {
        status: 200,
        body: html,
        contentType: "text/html; charset=utf-8",
        headers: { "content-security-policy": contentSecurityPolicy },
      };
    },
  );
}
