import { expect, test } from "vitest";
import { renderYaml } from "../../../layers/domain/config/yaml.ts";

test("nested mappings and lists, in the order given", () => {
  const text = renderYaml({
    name: "a",
    inner: { list: [{ key: 1, other: "b" }, "plain"], none: {} },
    empty: [],
  });
  expect(text).toBe(
    "name: a\ninner:\n  list:\n    - key: 1\n      other: b\n    - plain\n  none: {}\nempty: []\n",
  );
});

test.each([
  "on",
  "no",
  "NULL",
  "~",
  "1",
  "0x1",
  "a: b",
  "# c",
  "",
  " a",
  "- a",
  "1.5",
  "2001-01-01",
  'say "x"',
  "ä\n",
  "1:30",
])("the text %j stays a text", (text) => {
  const value = renderYaml({ key: text }).slice("key: ".length, -1);
  expect(JSON.parse(value)).toBe(text);
});
