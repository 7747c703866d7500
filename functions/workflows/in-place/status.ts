import { wellSentence } from "@pgherd/layers/domain";
import type { Workflow } from "@pgherd/layers/runtime/workflow";
import type { ClusterPorts } from "../ports.ts";

/** What is said of an exchange of data that did not come to its end. */
export const unwound = {
  undone: "The data that there was is in service again.",
  left: "so that somebody has to look at the cluster",
};

/** @param what as the beginning of a sentence has it */
export function statusAtEnd(what: string): Workflow<ClusterPorts>["statusAt"] {
  return (ending) =>
    ending.state === "succeeded"
      ? { status: "available", statusReason: wellSentence }
      : {
          status: "degraded",
          statusReason: `The ${what} ${ending.state === "failed" ? "did not come to its end" : "was cancelled"}. ${ending.message}`,
        };
}
