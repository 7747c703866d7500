import { ServiceError } from "../endpoints/service.ts";
import { questionsOf } from "./questions.ts";
import type { PermissionRecord } from "./record.ts";
import type { ServiceCall, Surroundings } from "./use.ts";

/** Hears of every call of a role, whatever becomes of it, and records what IAM would be asked about it. */
export type CallListener = (call: ServiceCall) => void;

export function watchPermissions(options: {
  readonly record: Pick<PermissionRecord, "note">;
  readonly surroundings: Surroundings;
  readonly onError: (error: unknown) => void;
}): CallListener {
  const { record, surroundings, onError } = options;
  return (call) => {
    const role = call.caller.roleName;
    // The operator is no role of ours: who runs the environment may do everything.
    if (role === null) return;
    try {
      for (const question of questionsOf(call, surroundings)) record.note({ role, ...question });
    } catch (error) {
      // A call that its service refuses anyway, for the same reason.
      if (!(error instanceof ServiceError)) onError(error);
    }
  };
}
