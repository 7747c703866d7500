import { expect, test } from "vitest";
import { ancestorsOf, youngest } from "../../../layers/node/in-place/timelines.ts";

test("a history file says which timelines were left, and where", () => {
  const text =
    "1\t0/3000158\tno recovery target specified\n\n2\t0/5000000\tbefore 2026-01-01 00:00:00+00\n# a comment\n";
  expect(ancestorsOf(3, text)).toEqual([
    { timeline: 1, lsn: "0/3000158" },
    { timeline: 2, lsn: "0/5000000" },
  ]);
  expect(ancestorsOf(1, "")).toEqual([]);
});

test("the youngest timeline that is archived is read from what the archiver has done, and not from what it has to do", () => {
  const done = ["00000002.history.done", "0000000A.history.done", "000000020000000000000003.done"];
  expect(youngest([...done, "0000000B.history.ready"])).toBe(10);
  expect(youngest(["00000002.history.ready"])).toBeNull();
  expect(youngest([])).toBeNull();
});
