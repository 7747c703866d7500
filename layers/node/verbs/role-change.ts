import type { roleChangeVerbs } from "../../domain/node/role-change-verbs.ts";
import type { VerbFunction } from "../context.ts";
import { assessRoleChange } from "./assess-role-change.ts";
import { changeRole } from "./change-role.ts";
import { drain } from "./drain-pooler.ts";
import { moveDcsLeader } from "./move-dcs-leader.ts";

export const roleChange: { readonly [V in keyof typeof roleChangeVerbs]: VerbFunction<V> } = {
  "assess-role-change": assessRoleChange,
  "change-role": changeRole,
  "drain-pooler": drain,
  "move-dcs-leader": moveDcsLeader,
};
