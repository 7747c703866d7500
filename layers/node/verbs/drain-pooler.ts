import type { VerbFunction } from "../context.ts";
import { Deadline } from "../deadline.ts";
import { readOwnIntent } from "../own-intent.ts";
import { drainPooler } from "../pooler.ts";

export const drain: VerbFunction<"drain-pooler"> = async (input) => {
  await readOwnIntent(input);
  return drainPooler(new Deadline(input.deadlineSeconds * 1000));
};
