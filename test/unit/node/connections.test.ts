import { expect, test } from "vitest";
import { connectionsIn } from "../../../layers/node/connections.ts";

test("what psql answers is how many clients there are and how many there may be, and nothing else is taken for it", () => {
  expect(connectionsIn("12|94")).toEqual({ used: 12, max: 94 });
  for (const row of ["", "12", "12|", "12|0", "a|94", "1|2|3"]) expect(() => connectionsIn(row)).toThrow();
});
