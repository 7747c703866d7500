import type { roleChangeVerbs } from "../../domain/node/role-change-verbs.ts";
import type { VerbFunction } from "../context.ts";

export const roleChange: { readonly [V in keyof typeof roleChangeVerbs]: VerbFunction<V> } = {};
