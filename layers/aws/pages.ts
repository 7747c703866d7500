/**
 * Parameters come ten to a page, and 2,000 clusters have some 30,000 of them; whatever else is listed has fewer pages. A
 * listing that goes on beyond goes in circles.
 */
const pagesMax = 10_000;

/** Everything that a listing has, of the pages that one of the SDK's paginators turns. */
export async function onAllPages<Page, Item>(
  pages: AsyncIterable<Page>,
  itemsOf: (page: Page) => readonly Item[] | undefined,
): Promise<Item[]> {
  const items: Item[] = [];
  let turned = 0;
  for await (const page of pages) {
    turned += 1;
    if (turned > pagesMax) throw new Error(`a listing has more than ${pagesMax} pages`);
    items.push(...(itemsOf(page) ?? []));
  }
  return items;
}
