import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { prices } from "../../simulation/support/prices.ts";

const rowPattern = /^\| `(\w+)`(?:, ([^|]*?))? \| ([\d.]+) \| ([^|]+) \|$/gm;
const sourcePattern = /^(second-hand(: |, \d{4}: ).+|https:.+|the same|unverified)$/;

describe("the cost page", () => {
  test("names every price that its figures are worked out of, as it is there, and where it was seen", async () => {
    const page = await readFile(new URL("../../../docs/costs.md", import.meta.url), "utf8");
    const rows = [...page.matchAll(rowPattern)].map(([, name = "", unit = "", usd = "", source = ""]) => ({
      name,
      price: Number(usd) / (unit === "a million" ? 1e6 : 1),
      source,
    }));
    expect(Object.fromEntries(rows.map(({ name, price }) => [name, price]))).toEqual(prices);
    for (const { name, source } of rows) expect(source, name).toMatch(sourcePattern);
  });
});
