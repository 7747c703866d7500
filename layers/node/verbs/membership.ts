import type { membershipVerbs } from "../../domain/node/membership-verbs.ts";
import type { VerbFunction } from "../context.ts";
import { growFilesystem } from "./grow-filesystem.ts";

export const membership: { readonly [V in keyof typeof membershipVerbs]: VerbFunction<V> } = {
  "grow-filesystem": growFilesystem,
};
