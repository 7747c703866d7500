import {
  eachNode,
  pointOfNoReturn,
  step,
  together,
  type Workflow,
  workflowHandler,
} from "@pgherd/layers/runtime/workflow";
import { type CreateDeadlines, createDeadlines } from "./create-cluster/deadlines.ts";
import * as machines from "./create-cluster/machines.ts";
import * as software from "./create-cluster/software.ts";
import * as trust from "./create-cluster/trust.ts";
import { type ClusterPorts, openPorts } from "./ports.ts";
import * as remove from "./removals.ts";

/** How often an act is tried that fails for a reason which passes. */
const attemptsMax = 4;

/**
 * The life of a new cluster. When any part of it fails, or someone cancels it, what stands on the right removes what
 * stands on the left, from the bottom up; the cluster's item stays, `failed` and with its name free, to say why.
 */
export function createClusterWorkflow(deadlines: CreateDeadlines = createDeadlines): Workflow<ClusterPorts> {
  return {
    kind: "create-cluster",
    attemptsMax,
    chapters: [
      step("claim", machines.checkClaim, remove.claim),
      together(
        step("security-group", machines.securityGroup, remove.securityGroup),
        eachNode("volumes", machines.volume, remove.volume),
        step("passwords", trust.passwords, remove.passwords),
        step("authority", trust.authority, remove.authority),
      ),
      eachNode("network-interfaces", machines.networkInterface, remove.networkInterface),
      eachNode("instances", (scope, node) => machines.instance(scope, node, deadlines), remove.instance),
      eachNode("agents", (scope, node) => software.agent(scope, node, deadlines)),
      eachNode("configure", (scope, node) => software.configure(scope, node, deadlines)),
      step("members", (scope) => software.members(scope, deadlines)),
      step("database", (scope) => software.database(scope, deadlines)),
      step("verify", (scope) => software.verify(scope, deadlines)),
      /** A cluster that was verified is the user's: it is not taken away again. */
      pointOfNoReturn,
    ],
    statusAt: (ending) =>
      ending.state === "succeeded"
        ? { status: "available", statusReason: "Every member runs and answers its clients." }
        : {
            status: "failed",
            statusReason: `The create ${ending.state === "failed" ? "failed" : "was cancelled"}. ${ending.message}`,
          },
  };
}

export const handler = workflowHandler(createClusterWorkflow(), openPorts);
