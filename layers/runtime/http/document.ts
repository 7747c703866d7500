import type { DocsPage } from "./docs-page.ts";
import type { OpenApiDocument } from "./openapi.ts";
import type { Route } from "./route.ts";

/** Built when someone asks and once per process: most processes never do. */
const documents = new WeakMap<readonly Route[], Promise<OpenApiDocument>>();
const pages = new WeakMap<readonly Route[], Promise<DocsPage>>();

export function documentOf(routes: readonly Route[]): Promise<OpenApiDocument> {
  return remembered(documents, routes, async () => {
    const { buildDocument } = await import("./openapi.ts");
    return buildDocument(routes);
  });
}

export function docsPageOf(routes: readonly Route[]): Promise<DocsPage> {
  return remembered(pages, routes, async () => {
    const { renderDocsPage } = await import("./docs-page.ts");
    return renderDocsPage(await documentOf(routes));
  });
}

function remembered<T>(
  memory: WeakMap<readonly Route[], Promise<T>>,
  routes: readonly Route[],
  build: () => Promise<T>,
): Promise<T> {
  const known = memory.get(routes) ?? build();
  memory.set(routes, known);
  return known;
}
