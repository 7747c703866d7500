import { expect, test } from "vitest";
import { onAllPages } from "../../../layers/aws/pages.ts";

interface Page {
  readonly items?: readonly number[];
}

async function* pagesOf(...pages: readonly Page[]): AsyncGenerator<Page> {
  yield* pages;
}

test("what is on every page is there, in its order, also behind a page that has nothing", async () => {
  const pages = pagesOf({ items: [1, 2] }, {}, { items: [] }, { items: [3] });
  expect(await onAllPages(pages, ({ items }) => items)).toEqual([1, 2, 3]);
});

test("a listing that goes in circles ends with an error, and is not asked again", async () => {
  let asked = 0;
  async function* circle(): AsyncGenerator<Page> {
    for (;;) {
      asked += 1;
      yield { items: [1] };
    }
  }
  await expect(onAllPages(circle(), ({ items }) => items)).rejects.toThrow(/more than \d+ pages/);
  expect(asked).toBe(10_001);
});
