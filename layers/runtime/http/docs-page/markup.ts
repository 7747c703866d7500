/** HTML that is safe to put into a page: everything else is escaped on its way in. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

const escaped = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? "");

/** For text that is markup already; never for anything from a caller. */
export const markup = (text: string): Markup => new Markup(text);

export function html(parts: TemplateStringsArray, ...values: readonly (string | Markup)[]): Markup {
  const text = parts.map((part, index) => {
    const value = values[index - 1];
    if (value === undefined) return part;
    return (value instanceof Markup ? value.text : escaped(value)) + part;
  });
  return new Markup(text.join(""));
}

export function join(parts: readonly Markup[], separator = "\n"): Markup {
  return new Markup(parts.map((part) => part.text).join(separator));
}

export const code = (text: string): Markup => html`<code>${text}</code>`;

/** Paragraphs, `code` and **strong**: all of Markdown that descriptions use. */
export function prose(text: string): Markup {
  const inline = (paragraph: string) =>
    escaped(paragraph)
      .replaceAll(/`([^`]+)`/g, "<code>$1</code>")
      .replaceAll(/\*\*([^*]+)\*\*/g, "<strong>$1</strong>");
  return new Markup(
    text
      .split(/\n{2,}/)
      .filter((paragraph) => paragraph !== "")
      .map((paragraph) => `<p>${inline(paragraph)}</p>`)
      .join("\n"),
  );
}
