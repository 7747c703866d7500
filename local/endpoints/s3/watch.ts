import type { Refusal } from "../../permissions/refuse.ts";
import type { CallListener } from "../../permissions/watch.ts";
import type { FaultEffect, Faults } from "../faults.ts";
import type { Recorder } from "../recorder.ts";
import type { ServiceError } from "../service.ts";
import type { CallWatch } from "./front.ts";

const denied = "AccessDenied";

/** The environment's own records and faults. */
export function watchCalls(options: {
  recorder: Recorder;
  faults: Faults;
  onCall?: CallListener;
  refusal?: Refusal;
}): CallWatch {
  const { recorder, faults, onCall, refusal } = options;
  return {
    begin: (call) => [...faults.take(call), ...effectOf(refusal?.(call) ?? null)],
    end: (call) => {
      recorder.record(call);
      // What was refused was not used.
      if (call.errorCode !== denied) onCall?.(call);
    },
  };
}

/** The process that answers learns of it as of a fault. */
function effectOf(refused: ServiceError | null): FaultEffect[] {
  if (refused === null) return [];
  const { message, statusCode } = refused;
  return [{ kind: "error", code: denied, message, statusCode }];
}
