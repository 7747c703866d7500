import type { Faults } from "../faults.ts";
import type { Recorder } from "../recorder.ts";
import type { CallWatch } from "./front.ts";

/** The environment's own records and faults. */
export function watchCalls({ recorder, faults }: { recorder: Recorder; faults: Faults }): CallWatch {
  return { begin: (call) => faults.take(call), end: (call) => recorder.record(call) };
}
