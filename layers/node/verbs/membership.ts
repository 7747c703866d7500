import type { membershipVerbs } from "../../domain/node/membership-verbs.ts";
import type { VerbFunction } from "../context.ts";
import { applyDynamicConfiguration } from "./apply-dynamic-configuration.ts";
import { awaitMember } from "./await-member.ts";
import { changeExtensions } from "./change-extensions.ts";
import { addLearner, awaitDcsMember, forgetDcs, promoteLearner, removeMember } from "./dcs-membership.ts";
import { growFilesystem } from "./grow-filesystem.ts";
import { observePlace } from "./observe-place.ts";

export const membership: { readonly [V in keyof typeof membershipVerbs]: VerbFunction<V> } = {
  "observe-place": observePlace,
  "add-dcs-learner": addLearner,
  "promote-dcs-learner": promoteLearner,
  "remove-dcs-member": removeMember,
  "forget-dcs": forgetDcs,
  "await-dcs": awaitDcsMember,
  "await-member": awaitMember,
  "grow-filesystem": growFilesystem,
  "apply-dynamic-configuration": applyDynamicConfiguration,
  "change-extensions": changeExtensions,
};
