import { type Ending, eachNode, pointOfNoReturn, step, type Workflow } from "@pgherd/layers/runtime/workflow";
import type { CreateDeadlines } from "../create-cluster/deadlines.ts";
import * as schedules from "../create-cluster/schedules.ts";
import * as software from "../create-cluster/software.ts";
import { forbidSource } from "../identity.ts";
import type { ClusterPorts } from "../ports.ts";
import * as remove from "../removals.ts";

/** Each try of waiting for the data takes minutes: together they wait for half a day. */
export const attemptsMax = 150;

type Chapters = Workflow<ClusterPorts>["chapters"];

/** What makes nodes that were told of a backup a cluster. @param loaded what its database gets beside that */
export function restoredCluster(deadlines: CreateDeadlines, loaded: Chapters = []): Chapters {
  return [
    step("members", (scope) => software.restoredMembers(scope, deadlines)),
    step("database", (scope) => software.database(scope, deadlines)),
    eachNode("forget-source", (scope, node) => software.forgetSource(scope, node, deadlines)),
    step("archive", (scope) => software.archive(scope, deadlines)),
    ...loaded,
    step("forbid-source", forbidSource),
    step("verify", (scope) => software.verify(scope, deadlines)),
    step("schedules", schedules.apply, remove.schedules),
    pointOfNoReturn,
  ];
}

export const statusAfter = (what: string, ending: Ending): ReturnType<Workflow<ClusterPorts>["statusAt"]> =>
  ending.state === "succeeded"
    ? { status: "available", statusReason: "Every member runs and answers its clients." }
    : {
        status: "failed",
        statusReason: `The ${what} ${ending.state === "failed" ? "failed" : "was cancelled"}. ${ending.message}`,
      };
