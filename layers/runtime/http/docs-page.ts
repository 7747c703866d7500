import { createHash } from "node:crypto";
import { problemKinds } from "../../domain/problems.ts";
import { fieldTable, meaningOf, nameOf, type SchemaView, typeOf } from "./docs-page/fields.ts";
import { code, html, join, type Markup, markup, prose } from "./docs-page/markup.ts";
import { style } from "./docs-page/style.ts";
import type { OpenApiDocument } from "./openapi.ts";

export interface DocsPage {
  readonly html: string;
  readonly contentSecurityPolicy: string;
}

/** What the page reads of the document, after it went through JSON. */
interface DocumentView {
  readonly info: { readonly title: string; readonly description: string };
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationView>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, SchemaView>> };
}

interface OperationView {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description: string;
  readonly "x-role"?: string;
  readonly parameters?: readonly ParameterView[];
  readonly requestBody?: { readonly content: Readonly<Record<string, ContentView>> };
  readonly responses: Readonly<Record<string, ResponseView>>;
}

interface ParameterView {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema: SchemaView;
}

interface ContentView {
  readonly schema: SchemaView;
  readonly example?: unknown;
}

interface ResponseView {
  readonly description: string;
  readonly content?: Readonly<Record<string, ContentView>>;
}

interface Operation extends OperationView {
  readonly method: string;
  readonly path: string;
}

/** One page without scripts and without anything from elsewhere. */
export function renderDocsPage(document: OpenApiDocument): DocsPage {
  const view: DocumentView = JSON.parse(JSON.stringify(document));
  const operations = operationsOf(view);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${view.info.title} API</title>
<style>${markup(style)}</style>
</head>
<body>
<a class="skip" href="#content">To the content</a>
${navigation(view, operations)}
<main id="content">
<header><h1>${view.info.title} API</h1>${prose(view.info.description)}
<p><a href="/openapi.json">openapi.json</a> has the same for programs.</p></header>
${join(view.tags.map((tag) => section(view, tag, operations)))}
<h2 id="shapes">Shapes</h2>
${shapes(view, operations)}
<h2 id="problems">Problems</h2>
${problems(operations)}
</main>
</body>
</html>`;
  const hash = createHash("sha256").update(style).digest("base64");
  return {
    html: page.text,
    contentSecurityPolicy: `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  };
}

function operationsOf(view: DocumentView): Operation[] {
  return Object.entries(view.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ ...operation, method, path })),
  );
}

function navigation(view: DocumentView, operations: readonly Operation[]): Markup {
  const entry = (operation: Operation) =>
    html`<li><a href="#${operation.operationId}">${verb(operation)} ${operation.summary}</a></li>`;
  const group = (tag: string) => html`<h2>${tag}</h2>
<ul>${join(operations.filter((one) => one.tags.includes(tag)).map(entry))}</ul>`;
  return html`<nav aria-label="Contents">
<p class="name"><a href="#content">${view.info.title}</a></p>
${join(view.tags.map((tag) => group(tag.name)))}
<h2>reference</h2>
<ul><li><a href="#shapes">Shapes</a></li><li><a href="#problems">Problems</a></li></ul>
</nav>`;
}

const verb = ({ method }: Operation): Markup =>
  html`<span class="verb ${method}">${method.toUpperCase()}</span>`;

function section(
  view: DocumentView,
  tag: { readonly name: string; readonly description: string },
  operations: readonly Operation[],
): Markup {
  return html`<h2 id="tag-${tag.name}">${tag.name}</h2>
<p>${tag.description}</p>
${join(operations.filter((one) => one.tags.includes(tag.name)).map((one) => article(view, one)))}`;
}

function article(view: DocumentView, operation: Operation): Markup {
  const role = operation["x-role"];
  return html`<article id="${operation.operationId}">
<h3><a href="#${operation.operationId}">${operation.summary}</a></h3>
<p class="path">${verb(operation)} <code>${operation.path}</code>
<span class="role">${role === undefined ? "anyone" : `${role} and above`}</span></p>
${prose(operation.description)}
${parameters(operation.parameters ?? [])}
${body(view, operation)}
<h4>Answers</h4>
<table class="answers"><thead><tr><th scope="col">Status</th><th scope="col">Meaning</th><th scope="col">Body</th></tr></thead>
<tbody>${join(Object.entries(operation.responses).map(answer))}</tbody></table>
</article>`;
}

function parameters(list: readonly ParameterView[]): Markup {
  if (list.length === 0) return html``;
  const row = (one: ParameterView) =>
    html`<tr><td><code>${one.name}</code> ${
      one.required === true ? html`<span class="required">required</span>` : ""
    }</td><td>${one.in}</td><td>${typeOf(one.schema)}</td><td>${meaningOf(one.schema)}</td></tr>`;
  return html`<h4>Parameters</h4>
<table class="parameters"><thead><tr><th scope="col">Name</th><th scope="col">In</th><th scope="col">Type</th><th scope="col">Meaning</th></tr></thead>
<tbody>${join(list.map(row))}</tbody></table>`;
}

function body({ components }: DocumentView, { requestBody, method, path }: Operation): Markup {
  const content = requestBody?.content["application/json"];
  if (content === undefined) return html``;
  const example =
    content.example === undefined
      ? html``
      : html`<pre><code>curl -X ${method.toUpperCase()} "$API${path}" \\
  -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\
  -H "Idempotency-Key: $(uuidgen)" \\
  -d '${JSON.stringify(content.example)}'</code></pre>`;
  return html`<h4>Body</h4><p>${typeOf(content.schema)}, <code>application/json</code></p>${example}
${fieldTable(components.schemas[nameOf(content.schema)] ?? content.schema, "required")}`;
}

function answer([status, response]: [string, ResponseView]): Markup {
  const [content] = Object.entries(response.content ?? {});
  const isProblem = content?.[0] === "application/problem+json";
  const meaning = isProblem ? problemLinks(response.description) : prose(response.description);
  const shapeOf = () => {
    if (content === undefined) return html``;
    if (isProblem) return html`<a href="#shape-Problem">Problem</a>`;
    return content[0] === "application/json" ? typeOf(content[1].schema) : code(content[0]);
  };
  return html`<tr class="${Number(status) < 400 ? "success" : "failure"}"><td><code>${status}</code></td><td>${meaning}</td><td>${shapeOf()}</td></tr>`;
}

/** The document names problem codes in backticks; here they lead to their description. */
function problemLinks(description: string): Markup {
  const codes = [...description.matchAll(/`([\w-]+)`/g)].map((match) => match[1] ?? "");
  return join(
    codes.map((name) => html`<a class="code" href="#${name}">${name}</a>`),
    " ",
  );
}

function shapes(view: DocumentView, operations: readonly Operation[]): Markup {
  const sent = operations.map(({ requestBody }) =>
    nameOf(requestBody?.content["application/json"]?.schema ?? {}),
  );
  return join(
    Object.entries(view.components.schemas).map(
      ([name, schema]) => html`<article id="shape-${name}"><h3><a href="#shape-${name}">${name}</a></h3>
${fieldTable(schema, sent.includes(name) ? "required" : "optional")}</article>`,
    ),
  );
}

function problems(operations: readonly Operation[]): Markup {
  const row = ([name, { status, title }]: [string, { status: number; title: string }]) => {
    const from = operations.filter((one) =>
      one.responses[String(status)]?.description.includes(`\`${name}\``),
    );
    const where =
      from.length === operations.length || from.length === 0
        ? html`any call`
        : join(
            from.map((one) => html`<a href="#${one.operationId}">${one.operationId}</a>`),
            ", ",
          );
    return html`<tr id="${name}"><td><code>${name}</code></td><td><code>${String(status)}</code></td><td>${title}.</td><td>${where}</td></tr>`;
  };
  return html`<p>Every error is <code>application/problem+json</code>; programs go by <code>code</code>. The project's folder <code>docs/errors</code> has a page for each: when it happens and what to do.</p>
<table class="problems"><thead><tr><th scope="col">Code</th><th scope="col">Status</th><th scope="col">Meaning</th><th scope="col">From</th></tr></thead>
<tbody>${join(Object.entries(problemKinds).map(row))}</tbody></table>`;
}
