import type { maintenanceVerbs } from "../../domain/node/maintenance-verbs.ts";
import type { VerbFunction } from "../context.ts";

export const maintenance: { readonly [V in keyof typeof maintenanceVerbs]: VerbFunction<V> } = {};
