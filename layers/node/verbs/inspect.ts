import type { inspectVerbs } from "../../domain/node/inspect-verbs.ts";
import type { VerbFunction } from "../context.ts";

export const inspect: { readonly [V in keyof typeof inspectVerbs]: VerbFunction<V> } = {};
