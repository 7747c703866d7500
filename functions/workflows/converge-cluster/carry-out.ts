import { type Change, convergeRequestSchema } from "@pgherd/layers/domain";
import * as schedules from "../create-cluster/schedules.ts";
import * as contents from "./contents.ts";
import * as members from "./members.ts";
import * as places from "./places.ts";
import type { ChangeScope } from "./world.ts";

/** What a change is called in the operation's steps. */
export function nameOf(change: Change): string {
  switch (change.kind) {
    case "configure":
      return change.nodeIds.length === 1 ? `configure ${change.nodeIds[0]}` : "configure nodes";
    case "set-services":
      return "set services";
    case "move-leader":
      return `move leader from ${change.from}`;
    case "await-member":
      return change.nodeId === null ? "await leader" : `await member ${change.nodeId}`;
    case "await-dcs":
      return change.nodeId === null ? "await etcd" : `await etcd on ${change.nodeId}`;
    case "apply-dynamic-configuration":
    case "apply-database":
    case "apply-security-rules":
    case "apply-schedules":
      return change.kind.replaceAll("-", " ");
    case "remove-dcs-member":
      return `remove dcs member ${change.nodeId ?? change.memberId}`;
    case "add-node":
    case "make-place":
    case "vacate-place":
    case "start-instance":
    case "await-node":
    case "remove-instance":
    case "remove-node":
    case "discard-leftovers":
    case "grow-volume":
    case "add-dcs-member":
    case "promote-dcs-member":
    case "restart-member":
      return `${change.kind.replaceAll("-", " ")} ${change.nodeId}`;
  }
}

/** Each can be carried out again after it was carried out in part or whole. */
export async function carryOut(scope: ChangeScope, change: Change): Promise<string | undefined> {
  return (await carriedOut(scope, change)) ?? undefined;
}

// biome-ignore lint/suspicious/noConfusingVoidType: a change that has nothing to say returns nothing
function carriedOut(scope: ChangeScope, change: Change): Promise<string | void> {
  switch (change.kind) {
    case "add-node":
      return places.addNode(scope, change);
    case "make-place":
      return places.makePlace(scope, change);
    case "vacate-place":
      return places.vacatePlace(scope, change);
    case "start-instance":
      return places.startInstance(scope, change);
    case "await-node":
      return places.awaitNode(scope, change);
    case "remove-instance":
      return places.removeInstance(scope, change);
    case "remove-node":
      return places.removeNode(scope, change);
    case "discard-leftovers":
      return places.discardLeftovers(scope, change);
    case "grow-volume":
      return places.growVolume(scope, change);
    case "set-services":
      return places.setServices(scope, change);
    case "apply-security-rules":
      return places.applySecurityRules(scope);
    case "apply-schedules":
      return schedules.apply(scope);
    case "configure":
      return members.configure(scope, change);
    case "await-member":
      return members.awaitMember(scope, change);
    case "await-dcs":
      return members.awaitDcs(scope, change);
    case "add-dcs-member":
      return members.addDcsMember(scope, change);
    case "promote-dcs-member":
      return members.promoteDcsMember(scope, change);
    case "remove-dcs-member":
      return members.removeDcsMember(scope, change);
    case "move-leader":
      return members.handOver(scope, change);
    case "apply-dynamic-configuration":
      return members.applyDynamicConfiguration(scope);
    case "restart-member":
      return contents.restartMember(scope, convergeRequestSchema.parse(scope.request), change);
    case "apply-database":
      return contents.applyDatabase(scope, convergeRequestSchema.parse(scope.request), change);
  }
}
