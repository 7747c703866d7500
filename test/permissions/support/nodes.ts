import { clusterOfNodeRole, type NodeRights } from "../../../layers/domain/cluster/node-role.ts";
import type { PermissionUse } from "../../../local/permissions/use.ts";
import { nodeRoleOn, type PaperRole, type PaperStage } from "../../infra/support/paper-stage.ts";

const anyCluster = /clu_[0-9A-Z]{26}/g;

/**
 * The role of a cluster's nodes, which no template has: as functions make it, with the rights that the use is about.
 * That a source's backups were read at the right time only was seen when it happened: nodes are held to their role.
 * Null: the role is none of a node.
 */
export function nodeRoleFor(
  stage: PaperStage,
  { circumstances, resource, role }: PermissionUse,
): PaperRole | null {
  const clusterId = clusterOfNodeRole(stage.name, role);
  if (clusterId === null) return null;
  const text = [resource, ...Object.values(circumstances)].join(" ");
  const other = text.match(anyCluster)?.find((id) => id !== clusterId);
  const parameter = /\/pgherd\/[a-z0-9-]+\/stores\/[A-Za-z0-9_.-]+/.exec(text)?.[0];
  const rights: NodeRights = {
    clusterId,
    store: parameter === undefined ? null : storeWith(parameter),
    source: other === undefined ? null : { clusterId: other, store: null },
  };
  return nodeRoleOn(stage, rights);
}

const storeWith = (credentialsParameter: string) => ({
  endpoint: "store.example.com",
  bucket: "backups",
  region: "us-east-1",
  pathStyle: true,
  credentialsParameter,
});
