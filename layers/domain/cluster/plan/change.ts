import type { NodeService } from "../cluster.ts";

/**
 * One step of a converge. Every change can be carried out again after it was carried out in part or whole, and the
 * plan that follows only looks at what is: nothing has to be remembered.
 */
export type Change =
  /** Writes a record: a place with nothing in it yet. Its etcd, if it gets one, comes with `add-dcs-member`. */
  | {
      readonly kind: "add-node";
      readonly nodeId: string;
      readonly zone: string;
      readonly shard: number;
      readonly services: readonly NodeService[];
    }
  /** Makes whatever the place lacks of interface and volume, and records it. A volume among the leftovers is not used. */
  | { readonly kind: "make-place"; readonly nodeId: string; readonly volumeGiB: number }
  /**
   * Gives up the place's volume (and, for another zone, its interface): the record forgets them, they become leftovers.
   * Only where the node has no instance.
   */
  | { readonly kind: "vacate-place"; readonly nodeId: string; readonly zone: string }
  /** Starts an instance on interface and volume (or the stopped one again) and waits for the node program. */
  | { readonly kind: "start-instance"; readonly nodeId: string; readonly instanceType: string }
  /** Waits until the node program answers again; an instance that stays silent fails the operation. */
  | { readonly kind: "await-node"; readonly nodeId: string }
  /**
   * Drains the pooler and stops the services in order where the node answers, then terminates the instance. Interface
   * and volume stay. Never the leader's, unless it is the shard's only member.
   */
  | { readonly kind: "remove-instance"; readonly nodeId: string; readonly instanceId: string }
  /** Like remove-instance, then interface, volumes, leftovers and the record itself. */
  | { readonly kind: "remove-node"; readonly nodeId: string }
  /** Removes what is not on record any more. */
  | { readonly kind: "discard-leftovers"; readonly nodeId: string }
  /** Grows the volume, then its file system; both go on while PostgreSQL runs. */
  | { readonly kind: "grow-volume"; readonly nodeId: string; readonly sizeGiB: number }
  /** Changes which of HAProxy and PgBouncer the nodes should run; `configure` then does so, draining what goes. */
  | {
      readonly kind: "set-services";
      readonly nodes: readonly { readonly nodeId: string; readonly services: readonly NodeService[] }[];
    }
  /**
   * Prepares, signs and configures each node for the spec and for all nodes with an address. Reloads what runs, starts
   * what should run, stops what should not; restarts neither PostgreSQL nor etcd.
   */
  | { readonly kind: "configure"; readonly nodeIds: readonly string[] }
  /** Waits until Patroni's member streams, or until there is a leader where `nodeId` is null. */
  | { readonly kind: "await-member"; readonly nodeId: string | null }
  /** Waits until the node's etcd is healthy, or until etcd has a majority where `nodeId` is null. */
  | { readonly kind: "await-dcs"; readonly nodeId: string | null }
  /** Adds the node's etcd as a learner, records the service and starts it; one that was added but never came is started. */
  | { readonly kind: "add-dcs-member"; readonly nodeId: string }
  /** Waits until the learner has caught up and makes it a voter. */
  | { readonly kind: "promote-dcs-member"; readonly nodeId: string; readonly memberId: string }
  /** Takes leadership away from the member, removes it, and stops and empties etcd on the node where it answers. */
  | { readonly kind: "remove-dcs-member"; readonly nodeId: string | null; readonly memberId: string }
  /** The planned role change; the new leader is `candidate`, or the best one where that is null, and none of `avoid`. */
  | {
      readonly kind: "move-leader";
      readonly from: string;
      readonly candidate: string | null;
      readonly avoid: readonly string[];
    }
  /** Writes what Patroni keeps in the DCS. */
  | { readonly kind: "apply-dynamic-configuration" }
  /**
   * Restarts PostgreSQL; Patroni too where `isProgramStale`. On the leader (`isLeader`) it happens in place, with the
   * poolers paused. Where PostgreSQL does not come back, the spec goes back to the one before this operation, the plan
   * goes on with that, and the operation fails with PostgreSQL's message.
   */
  | {
      readonly kind: "restart-member";
      readonly nodeId: string;
      readonly isLeader: boolean;
      readonly withPatroni: boolean;
    }
  /**
   * Creates, updates and drops extensions, as the leader. PostgreSQL refuses to drop what is used: then the spec goes
   * back and the operation fails with PostgreSQL's message, as above.
   */
  | {
      readonly kind: "apply-database";
      readonly create: readonly string[];
      readonly update: readonly string[];
      readonly drop: readonly string[];
    }
  | { readonly kind: "apply-security-rules" }
  /** Makes the scheduler's schedules what the spec says. It concerns no node, so no plan of nodes has it. */
  | { readonly kind: "apply-schedules" };

export type ChangeKind = Change["kind"];

/** No change can be made, and what has to happen first; never a state that passes by itself. */
export interface Blocked {
  readonly blocked: string;
}

/** `null`: the cluster is what the spec says. */
export type Plan = { readonly change: Change } | Blocked | null;
