import { eachNode, step, type Workflow } from "@pgherd/layers/runtime/workflow";
import * as software from "../create-cluster/software.ts";
import type { ClusterPorts } from "../ports.ts";
import * as acts from "./acts.ts";
import type { InPlaceDeadlines } from "./deadlines.ts";
import { insisting } from "./insisting.ts";
import * as undos from "./undos.ts";

type Chapters = Workflow<ClusterPorts>["chapters"];

/** Up to data that nobody has open and that lies aside, each part with what brings it back into service. */
export function dataSetAside(deadlines: InPlaceDeadlines): Chapters {
  return [
    step("pause", acts.pause, undos.resume),
    step("find-leader", acts.leader),
    eachNode(
      "hold-clients",
      (scope, node) => acts.holdClients(scope, node, deadlines),
      (scope, node) => undos.letClientsIn(scope, node, deadlines),
    ),
    step("preserve", (scope) => acts.preserve(scope, deadlines)),
    eachNode(
      "stop-replicas",
      (scope, node) => acts.stopReplica(scope, node, deadlines),
      (scope, node) => undos.replicaBack(scope, node, deadlines),
    ),
    step(
      "stop-leader",
      (scope) => acts.stopLeader(scope, deadlines),
      (scope) => undos.leaderBack(scope, deadlines),
    ),
    eachNode(
      "set-aside",
      (scope, node) => acts.setAside(scope, node, deadlines),
      (scope, node) => undos.putBack(scope, node, deadlines),
    ),
  ];
}

/** Clients come as soon as there is a leader: copies of much data take hours. */
export function backInService(deadlines: InPlaceDeadlines): Chapters {
  return [
    step("resume", (scope) => insisting(deadlines, () => acts.resume(scope))),
    step("admit-clients", (scope) => insisting(deadlines, () => acts.admitClients(scope, deadlines))),
    eachNode("let-clients-in", (scope, node) => undos.letClientsIn(scope, node, deadlines)),
    eachNode("start-replicas", (scope, node) =>
      insisting(deadlines, () => acts.startReplica(scope, node, deadlines)),
    ),
    step("members", (scope) => software.restoredMembers(scope, deadlines)),
    step("verify", (scope) => software.verify(scope, deadlines)),
  ];
}
