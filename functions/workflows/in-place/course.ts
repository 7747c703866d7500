import { type ClusterNode, inPlaceCourseSchema } from "@pgherd/layers/domain";
import { coursesOf } from "../course.ts";
import { type ClusterScope, known, readCluster, readNode } from "../create-cluster/records.ts";

export const { read: readCourse, write: writeCourse } = coursesOf(inPlaceCourseSchema);

export async function membersOf(scope: ClusterScope): Promise<ClusterNode[]> {
  const { nodes } = await readCluster(scope);
  return nodes.filter((node) => node.services.includes("postgres"));
}

/** The node on which the next leader's data is made. */
export async function restoredNode(scope: ClusterScope): Promise<ClusterNode> {
  const { restoredOn } = await readCourse(scope);
  const nodeId = known(restoredOn, "node for the data", scope.operationId);
  return (await readNode(scope, nodeId)).node;
}

/** A cluster has one shard today. */
export const shard = 0;
