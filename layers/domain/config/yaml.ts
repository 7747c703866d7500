/** As much of YAML as configuration files need: nested mappings, lists and scalars, in the order given. */
export type YamlValue = string | number | boolean | readonly YamlValue[] | YamlMapping;
export interface YamlMapping {
  readonly [key: string]: YamlValue;
}

/** Words that YAML would read as something else than a string, and everything but plain words, are quoted. */
const plainText = /^[A-Za-z_/][A-Za-z0-9_./-]*$/;
const reservedText = /^(?:true|false|null|yes|no|on|off|y|n)$/i;

function scalar(value: string | number | boolean): string {
  if (typeof value !== "string") return String(value);
  // A JSON string is a YAML double-quoted scalar.
  return plainText.test(value) && !reservedText.test(value) ? value : JSON.stringify(value);
}

function isList(value: YamlValue): value is readonly YamlValue[] {
  return Array.isArray(value);
}

function lines(value: YamlValue, indent: string): string[] {
  if (isList(value)) return value.flatMap((item) => listItem(item, indent));
  if (typeof value !== "object") return [`${indent}${scalar(value)}`];
  return Object.entries(value).flatMap(([key, item]) => entry(key, item, indent));
}

function entry(key: string, value: YamlValue, indent: string): string[] {
  if (typeof value !== "object") return [`${indent}${scalar(key)}: ${scalar(value)}`];
  const inner = lines(value, `${indent}  `);
  if (inner.length === 0) return [`${indent}${scalar(key)}: ${isList(value) ? "[]" : "{}"}`];
  return [`${indent}${scalar(key)}:`, ...inner];
}

function listItem(value: YamlValue, indent: string): string[] {
  const [first, ...rest] = lines(value, `${indent}  `);
  if (first === undefined) return [`${indent}- ${isList(value) ? "[]" : "{}"}`];
  return [`${indent}- ${first.trimStart()}`, ...rest];
}

export function renderYaml(mapping: YamlMapping): string {
  return `${lines(mapping, "").join("\n")}\n`;
}
