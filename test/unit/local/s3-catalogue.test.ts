import fc from "fast-check";
import { expect, test } from "vitest";
import { Catalogue, type ListRequest } from "../../../local/endpoints/s3/catalogue.ts";

const bucket = "backups";

/** S3's rule in its plainest form: everything at once, no pages. */
function plainList(keys: readonly string[], { prefix, delimiter }: Omit<ListRequest, "max" | "after">) {
  const under = keys.filter((key) => key.startsWith(prefix));
  const end = (key: string) => (delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length));
  const names = under.map((key) => (end(key) < 0 ? key : key.slice(0, end(key) + delimiter.length)));
  return [...new Set(names)].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

const piece = fc.constantFrom("a", "b", "/", "-", "é", "0", "~");
const text = (minLength: number, maxLength: number) =>
  fc.array(piece, { minLength, maxLength }).map((pieces) => pieces.join(""));

test("a list is the same whatever the size of its pages, and what S3's rule says", () => {
  const cases = fc.record({
    keys: fc.uniqueArray(text(1, 6), { maxLength: 30 }),
    prefix: text(0, 3),
    delimiter: fc.constantFrom("", "/", "a/"),
    max: fc.integer({ min: 1, max: 5 }),
  });
  fc.assert(
    fc.property(cases, ({ keys, prefix, delimiter, max }) => {
      const catalogue = new Catalogue(":memory:");
      catalogue.ensureBucket(bucket);
      for (const key of keys) {
        catalogue.put(bucket, { key, etag: "", sizeBytes: 0, modifiedAt: 0, contentType: null, blobs: [] });
      }
      const seen: string[] = [];
      let after: string | null = "";
      while (after !== null) {
        const page = catalogue.list(bucket, { prefix, delimiter, after, max });
        const names = [...page.objects.map(({ key }) => key), ...page.commonPrefixes];
        expect(names.length).toBeLessThanOrEqual(max);
        if (page.next !== null) expect(names.length).toBe(max);
        seen.push(...names);
        after = page.next;
      }
      catalogue.close();
      expect(seen.sort()).toEqual(plainList(keys, { prefix, delimiter }).sort());
    }),
  );
});
