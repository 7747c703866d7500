import { Problem } from "../../domain/problems.ts";

/**
 * A cursor is the last sort key of a page with the list it belongs to. It holds no position in the index,
 * so it stays good when items around it come and go.
 */
export function encodeCursor(list: string, last: string): string {
  return Buffer.from(`${list} ${last}`, "utf8").toString("base64url");
}

/** @throws {Problem} `invalid-request` naming `cursor` for anything that this list did not hand out. */
export function decodeCursor(list: string, pattern: RegExp, cursor: string): string {
  const [from, last, ...rest] = Buffer.from(cursor, "base64url").toString("utf8").split(" ");
  const isOurs = from === list && last !== undefined && rest.length === 0 && pattern.test(last);
  if (isOurs && encodeCursor(list, last) === cursor) return last;
  throw new Problem("invalid-request", "The cursor is not one that this list handed out.", {
    errors: [{ path: "cursor", message: "must be the nextCursor of a page of the same list" }],
  });
}
