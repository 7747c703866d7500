import type { NodeRights } from "../domain/cluster/node-role.ts";

/** Who the nodes of a cluster are to AWS. "Already there" and "already gone" are success. */
export interface NodeIdentities {
  /** The cluster's role, with exactly these rights, and the instance profile that gives it to instances. */
  ensure(rights: NodeRights): Promise<void>;
  /** Exactly these rights for the role that is there; a cluster without one has none to change. */
  permit(rights: NodeRights): Promise<void>;
  /** For clusters without instances: a node loses with it all that it may do. */
  remove(clusterId: string): Promise<void>;
}
