import type { Change } from "./change.ts";

/** A change as a sentence for people. */
export function changeText(change: Change): string {
  switch (change.kind) {
    case "add-node":
      return `Add a node in zone ${change.zone}${change.services.length === 0 ? " for etcd" : ` with ${change.services.join(", ")}`}.`;
    case "make-place":
      return `Make address and volume (${change.volumeGiB} GiB) of node ${change.nodeId}.`;
    case "vacate-place":
      return `Give up the volume of node ${change.nodeId}, for a new one in zone ${change.zone}.`;
    case "start-instance":
      return `Start a ${change.instanceType} for node ${change.nodeId}.`;
    case "await-node":
      return `Wait for node ${change.nodeId} to answer.`;
    case "remove-instance":
      return `Drain node ${change.nodeId} and end its instance; address and volume stay.`;
    case "remove-node":
      return `Drain and remove node ${change.nodeId}, its volume included.`;
    case "discard-leftovers":
      return `Remove what node ${change.nodeId} gave up.`;
    case "grow-volume":
      return `Grow the volume of node ${change.nodeId} to ${change.sizeGiB} GiB.`;
    case "set-services":
      return `Change which proxies run on ${change.nodes.length === 1 ? `node ${change.nodes[0]?.nodeId}` : `${change.nodes.length} nodes`}.`;
    case "configure":
      return `Configure ${change.nodeIds.length === 1 ? `node ${change.nodeIds[0]}` : `${change.nodeIds.length} nodes`}.`;
    case "await-member":
      return change.nodeId === null
        ? "Wait for a leader."
        : `Wait for node ${change.nodeId} to stream from the leader.`;
    case "await-dcs":
      return change.nodeId === null ? "Wait for etcd's majority." : `Wait for etcd on node ${change.nodeId}.`;
    case "add-dcs-member":
      return `Add etcd on node ${change.nodeId}, as a learner.`;
    case "promote-dcs-member":
      return `Make etcd on node ${change.nodeId} a voter.`;
    case "remove-dcs-member":
      return change.nodeId === null
        ? `Remove etcd member ${change.memberId}, which no node stands behind.`
        : `Remove etcd from node ${change.nodeId}.`;
    case "move-leader":
      return `Move the leader away from node ${change.from}.`;
    case "apply-dynamic-configuration":
      return "Write Patroni's settings.";
    case "restart-member":
      return `Restart PostgreSQL on node ${change.nodeId}${change.isLeader ? ", the leader, in its place" : ""}.`;
    case "apply-database":
      return [
        ...listed("Create", change.create),
        ...listed("Update", change.update),
        ...listed("Drop", change.drop),
      ].join(" ");
    case "apply-security-rules":
      return "Change who may connect.";
    case "apply-schedules":
      return "Change when backups are taken.";
  }
}

function listed(verb: string, names: readonly string[]): string[] {
  if (names.length === 0) return [];
  return [`${verb} extension${names.length === 1 ? "" : "s"} ${names.join(", ")}.`];
}
