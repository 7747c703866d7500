import type { OpenApiDocument } from "./openapi.ts";

export interface DocsPage {
  readonly html: string;
  readonly contentSecurityPolicy: string;
}

export function renderDocsPage(document: OpenApiDocument): DocsPage {
  return { html: `<pre>${JSON.stringify(document)}</pre>`, contentSecurityPolicy: "default-src 'none'" };
}
