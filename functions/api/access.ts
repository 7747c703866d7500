import { type Cluster, type ClusterSpec, type FieldError, Problem } from "@pgherd/layers/domain";
import type { ApiContext } from "./context.ts";

type Context = Pick<ApiContext, "compute" | "settings">;

/** Where the groups are in a spec. */
const groupsPath = "/access/securityGroupIds";

/**
 * Groups that a spec names are looked for before anything is made or written.
 * @param where `path` of the spec in the body; null: it is not in there. What the cluster's own spec has said `before`
 * is not looked for: EC2 keeps a group that a rule names, and nothing else has to wait for one that went all the same.
 * @throws {Problem} `security-group-unknown`
 */
export async function checkAccess(
  { compute, settings }: Context,
  { access: { securityGroupIds } }: Pick<ClusterSpec, "access">,
  where: { readonly path?: string | null; readonly before?: Pick<ClusterSpec, "access"> } = {},
): Promise<void> {
  const { before, path = "" } = where;
  const asked = securityGroupIds.filter((id) => before?.access.securityGroupIds.includes(id) !== true);
  if (asked.length === 0) return;
  const unknown = await compute.unknownSecurityGroups([...new Set(asked)]);
  if (unknown.length === 0) return;
  const message = `must be a security group of the environment's VPC, ${settings.vpcId}`;
  const errors = securityGroupIds.flatMap((id, index): FieldError[] =>
    path === null || !unknown.includes(id) ? [] : [{ path: `${path}${groupsPath}/${index}`, message }],
  );
  throw new Problem(
    "security-group-unknown",
    `VPC ${settings.vpcId} has no security group ${unknown.join(", ")}, which access.securityGroupIds names.`,
    { errors },
  );
}

/**
 * EC2 keeps a group that a rule names, so a delete would come to its end without it.
 * @throws {Problem} `security-group-in-use`
 */
export async function refuseNamedGroup({ compute }: Context, cluster: Cluster): Promise<void> {
  const { namedBy, securityGroupId } = await compute.securityGroupUse(cluster.id);
  if (namedBy.length === 0) return;
  const holders = namedBy.map(({ clusterId, securityGroupId: id }) =>
    clusterId === null ? id : `${id} (cluster ${clusterId}, by its access.securityGroupIds)`,
  );
  throw new Problem(
    "security-group-in-use",
    `Security group ${securityGroupId} of cluster ${cluster.id} is named by rules of ${holders.join(", ")}, and EC2 deletes no group that is.`,
  );
}
