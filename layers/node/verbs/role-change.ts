import type { roleChangeVerbs } from "../../domain/node/role-change-verbs.ts";
import type { VerbFunction } from "../context.ts";
import { NodeFailure } from "../failure.ts";
import { changeRole } from "./change-role.ts";

function missing(verb: string): () => Promise<never> {
  return () =>
    Promise.reject(new NodeFailure(`${verb} comes with the next change`, { code: "unknown-verb" }));
}

export const roleChange: { readonly [V in keyof typeof roleChangeVerbs]: VerbFunction<V> } = {
  "assess-role-change": missing("assess-role-change"),
  "change-role": changeRole,
  "drain-pooler": missing("drain-pooler"),
  "move-dcs-leader": missing("move-dcs-leader"),
};
