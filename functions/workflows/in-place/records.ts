import { type Branch, branchOf, type Kept, keptHours, withBranch } from "@pgherd/layers/domain";
import { type ClusterScope, known, readCluster } from "../create-cluster/records.ts";
import { readCourse } from "./course.ts";

/** What is on record of the cluster's data once it is another. */

async function branchesAfter(scope: ClusterScope): Promise<Branch[]> {
  const [{ branches }, course] = await Promise.all([readCluster(scope), readCourse(scope)]);
  return withBranch(branches, known(branchOf(scope.operationId, course), "branch", scope.operationId));
}

const msPerHour = 3_600_000;

function keptFromNow(operationId: string, leaderId: string): Kept {
  const now = Date.now();
  const until = new Date(now + keptHours * msPerHour).toISOString();
  return { operationId, since: new Date(now).toISOString(), until, leaderId };
}

export async function keepWayBack(scope: ClusterScope): Promise<string> {
  const { leaderId } = await readCourse(scope);
  const { kept: before } = await readCluster(scope);
  const leader = known(leaderId, "leader", scope.clusterId);
  // Told twice, the time does not begin anew.
  const isKnown = before?.operationId === scope.operationId;
  const kept = isKnown ? before : keptFromNow(scope.operationId, leader);
  const branches = await branchesAfter(scope);
  await scope.ports.store.recordOnCluster(scope.clusterId, scope.operationId, { kept, branches });
  return `Until ${kept.until} the data of before can be gone back to.`;
}

export async function forgetWayBack(scope: ClusterScope): Promise<void> {
  const branches = await branchesAfter(scope);
  await scope.ports.store.recordOnCluster(scope.clusterId, scope.operationId, { kept: null, branches });
}
