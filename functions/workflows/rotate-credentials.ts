import {
  eachNode,
  pointOfNoReturn,
  step,
  type Workflow,
  workflowHandler,
} from "@pgherd/layers/runtime/workflow";
import { statusAtEnd } from "./maintenance-mode.ts";
import { type ClusterPorts, openPorts } from "./ports.ts";
import * as rotate from "./rotate-credentials/acts.ts";

/** From the moment that PostgreSQL takes new passwords everything else has to follow: patience of some minutes. */
const attemptsMax = 8;

/** New passwords, or logins that begin or end; open connections live on. */
export const rotateCredentialsWorkflow: Workflow<ClusterPorts> = {
  kind: "rotate-credentials",
  attemptsMax,
  isForwardOnly: true,
  chapters: [
    step("passwords", rotate.makePasswords),
    pointOfNoReturn,
    step("change", rotate.change),
    step("keep", rotate.keep),
    eachNode("follow", rotate.follow),
    step("record", rotate.record),
  ],
  statusAt: statusAtEnd,
};

export const handler = workflowHandler(rotateCredentialsWorkflow, openPorts);
