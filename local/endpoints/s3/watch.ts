import type { Refusal } from "../../permissions/refuse.ts";
import type { CallListener } from "../../permissions/watch.ts";
import type { FaultEffect, Faults } from "../faults.ts";
import { isObject } from "../input.ts";
import type { Recorder } from "../recorder.ts";
import type { ServiceError } from "../service.ts";
import type { CallWatch, WatchedCall } from "./front.ts";

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
    refusedKeys: (call, keys) => {
      if (refusal === undefined) return [];
      const single = (Key: string) => ({
        ...call,
        action: "DeleteObject",
        input: { Bucket: bucketOf(call), Key },
      });
      return keys.filter((key) => refusal(single(key)) !== null);
    },
    end: (call) => {
      recorder.record(call);
      // What was refused was not used.
      if (call.errorCode !== denied) onCall?.(call);
    },
  };
}

const bucketOf = ({ input }: WatchedCall): unknown => (isObject(input) ? input["Bucket"] : undefined);

/** The process that answers learns of it as of a fault. */
function effectOf(refused: ServiceError | null): FaultEffect[] {
  if (refused === null) return [];
  const { message, statusCode } = refused;
  return [{ kind: "error", code: denied, message, statusCode }];
}
