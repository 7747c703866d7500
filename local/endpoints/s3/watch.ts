import type { CallListener } from "../../permissions/watch.ts";
import type { Faults } from "../faults.ts";
import type { Recorder } from "../recorder.ts";
import type { CallWatch } from "./front.ts";

/** The environment's own records and faults. */
export function watchCalls(options: {
  recorder: Recorder;
  faults: Faults;
  onCall?: CallListener;
}): CallWatch {
  const { recorder, faults, onCall } = options;
  return {
    begin: (call) => faults.take(call),
    end: (call) => {
      recorder.record(call);
      onCall?.(call);
    },
  };
}
