import { readFile } from "node:fs/promises";
import { cancellations, operationKindSchema } from "@pgherd/layers/domain";
import { expect, test } from "vitest";

const page = new URL("../../../docs/operating.md", import.meta.url);

test("the page for operators says of every kind of operation what a cancel leaves behind, and of no other", async () => {
  const rows = [
    ...(await readFile(page, "utf8")).matchAll(
      /^\| `([\w-]+-(?:cluster|node|credentials|certificates|backups?|point|database|place|restore))` \|.*$/gm,
    ),
  ];
  expect(rows.map(([, kind]) => kind)).toEqual(operationKindSchema.options);
  for (const kind of operationKindSchema.options) {
    const { heeded, leaves } = cancellations[kind];
    const row = `| \`${kind}\` | ${heeded ?? "It is refused."} | ${leaves} |`;
    expect(rows.map(([text]) => text)).toContain(row);
  }
});
