import { code, html, join, type Markup, prose } from "./markup.ts";

/** The part of JSON Schema that our document uses. */
export interface SchemaView {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly format?: string;
  readonly pattern?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly items?: SchemaView;
  readonly anyOf?: readonly SchemaView[];
  readonly allOf?: readonly SchemaView[];
  readonly properties?: Readonly<Record<string, SchemaView>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | SchemaView;
}

interface Field {
  readonly path: string;
  readonly isRequired: boolean;
  readonly schema: SchemaView;
}

/** In what a caller sends, it matters what is required; in what it gets, what can be absent. */
export function fieldTable(schema: SchemaView, marks: "required" | "optional"): Markup {
  const fields = fieldsOf(schema, "");
  if (fields.length === 0) return html`<p>${typeOf(schema)}</p>`;
  const row = ({ path, isRequired, schema: field }: Field) =>
    html`<tr><td><code>${path}</code>${isRequired === (marks === "required") ? html` <span class="${marks}">${marks}</span>` : ""}</td><td>${typeOf(field)}</td><td>${meaningOf(field)}</td></tr>`;
  return html`<table><thead><tr><th scope="col">Field</th><th scope="col">Type</th><th scope="col">Meaning</th></tr></thead>
<tbody>${join(fields.map(row))}</tbody></table>`;
}

/** Fields of fields follow their parent, with their whole path. */
function fieldsOf(schema: SchemaView, prefix: string): Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const path = `${prefix}${name}`;
    const own = { path, isRequired: schema.required?.includes(name) ?? false, schema: field };
    const inner = field.items ?? field;
    return [own, ...fieldsOf(inner, `${path}${field.items === undefined ? "" : "[]"}.`)];
  });
}

export const nameOf = (schema: SchemaView): string => schema.$ref?.split("/").at(-1) ?? "";

export function typeOf(schema: SchemaView): Markup {
  if (schema.$ref !== undefined) {
    const name = nameOf(schema);
    return html`<a href="#shape-${name}">${name}</a>`;
  }
  const variants = schema.anyOf ?? schema.allOf;
  if (variants !== undefined) return alternatives(variants);
  if (schema.enum !== undefined)
    return join(
      schema.enum.map((value) => code(JSON.stringify(value))),
      " | ",
    );
  if (schema.items !== undefined) return html`array of ${typeOf(schema.items)}`;
  if (typeof schema.additionalProperties === "object") {
    return html`object: any name → ${typeOf(schema.additionalProperties)}`;
  }
  const types = typeof schema.type === "string" ? [schema.type] : (schema.type ?? ["anything"]);
  return html`${types.join(" or ")}${schema.format === undefined ? "" : ` (${schema.format})`}`;
}

function alternatives(variants: readonly SchemaView[]): Markup {
  return join(variants.map(typeOf), " | ");
}

export function meaningOf(schema: SchemaView): Markup {
  const limits = limitsOf(
    schema.items !== undefined && schema.maxItems === undefined ? schema.items : schema,
  );
  return join(
    [prose(schema.description ?? ""), ...limits.map((limit) => html`<span class="limit">${limit}</span>`)],
    " ",
  );
}

function limitsOf(schema: SchemaView): Markup[] {
  const range = (low: number | undefined, high: number | undefined, unit: string): Markup[] => {
    if (low === undefined && high === undefined) return [];
    const bounds =
      low === undefined ? `at most ${high}` : high === undefined ? `at least ${low}` : `${low} to ${high}`;
    return [html`${bounds}${unit}`];
  };
  return [
    ...range(schema.minimum, schema.maximum, ""),
    ...range(schema.minLength, schema.maxLength, " characters"),
    ...range(undefined, schema.maxItems, " entries"),
    ...(schema.pattern === undefined ? [] : [html`matches ${code(schema.pattern)}`]),
    ...(schema.default === undefined ? [] : [html`default ${code(JSON.stringify(schema.default))}`]),
  ];
}
