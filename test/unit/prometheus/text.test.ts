import { expect, test } from "vitest";
import { renderText } from "../../../layers/domain/index.ts";

test("all series of a metric follow its description, one a line, and the last line ends like the others", () => {
  const samples = [
    { labels: { cluster: "orders", cluster_id: "clu_1" }, value: 1 },
    { labels: {}, value: 1_767_232_800.25 },
  ];
  expect(renderText([{ name: "up", help: "Whether.", samples }])).toBe(
    [
      "# HELP up Whether.",
      "# TYPE up gauge",
      'up{cluster="orders",cluster_id="clu_1"} 1',
      "up{} 1767232800.25",
      "",
    ].join("\n"),
  );
});

test("a label's value cannot end its line, its quotes or itself", () => {
  const value = 'C:\\new\n"} 1\\';
  const samples = [{ labels: { value }, value: 0 }];
  const [, , line, ...rest] = renderText([{ name: "a", help: "b", samples }]).split("\n");
  expect(line).toBe('a{value="C:\\\\new\\n\\"} 1\\\\"} 0');
  expect(rest).toEqual([""]);
});

test("neither can a description", () => {
  const samples = [{ labels: {}, value: 0 }];
  expect(renderText([{ name: "a", help: 'one\\two\n"three"', samples }])).toContain(
    '# HELP a one\\\\two\\n"three"\n',
  );
});

test("what nobody knows is not described either", () => {
  expect(renderText([{ name: "a", help: "b", samples: [] }])).toBe("");
});
