import { expect, test } from "vitest";
import { Reprieve } from "../../../../layers/node/guard/reprieve.ts";

/** What the guard found at each look that did not see the key: whether the cluster was paused. */
function spared(...paused: readonly boolean[]): boolean[] {
  const reprieve = new Reprieve();
  return paused.map((isPaused) => reprieve.grants(isPaused));
}

test("without a pause nothing is spared", () => {
  expect(spared(false, false)).toEqual([false, false]);
});

test("a pause spares for as long as it lasts", () => {
  expect(spared(true, true, true)).toEqual([true, true, true]);
});

test("after a pause the key is looked at once more, and only once", () => {
  expect(spared(true, false, false)).toEqual([true, true, false]);
});

test("a pause that was over long ago spares nobody from the next accident", () => {
  const reprieve = new Reprieve();
  reprieve.grants(true);
  reprieve.forget();
  expect(reprieve.grants(false)).toBe(false);
});
