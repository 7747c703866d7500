import type { Cluster, ClusterNode, ClusterStatus } from "../cluster/cluster.ts";
import { synchronousStandbys } from "../cluster/layout.ts";
import { metricsEndpointsOf } from "../cluster/metrics-endpoints.ts";
import { nodePorts } from "../cluster/node-ports.ts";

/** What Prometheus reads of a node that is to be scraped, over HTTP or from a file. */
export interface PrometheusTarget {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

/** Holds what a node tells of, between commas: the scrape configuration has a job for each and keeps what has it. */
export const endpointsLabel = "__meta_pgherd_endpoints";

/** How many synchronous replicas a commit of this cluster wants. */
export const synchronousLabel = "__meta_pgherd_synchronous_standbys";

/** Nodes are not there yet, or go away. */
const notServing: readonly ClusterStatus[] = ["creating", "deleting"];

/**
 * A machine that is lost stays a target, which is how it is missed; what somebody has stopped does not. A drill's
 * cluster is nobody's.
 */
const isWatched = ({ state }: ClusterNode): boolean => state !== "pending" && state !== "stopped";

export function prometheusTargets(environment: string, clusters: readonly Cluster[]): PrometheusTarget[] {
  return clusters
    .filter(({ drillOf, status }) => drillOf === null && !notServing.includes(status))
    .flatMap((cluster) =>
      cluster.nodes.filter(isWatched).flatMap((node) => target(environment, cluster, node)),
    );
}

function target(environment: string, cluster: Cluster, node: ClusterNode): PrometheusTarget[] {
  if (node.address === null) return [];
  const labels = {
    environment,
    cluster: cluster.name,
    cluster_id: cluster.id,
    node: node.id,
    shard: String(node.shard),
    zone: node.zone,
    [synchronousLabel]: String(synchronousStandbys(cluster.spec)),
    [endpointsLabel]: `,${metricsEndpointsOf(node.services).join(",")},`,
  };
  return [{ targets: [`${node.address}:${nodePorts.metrics}`], labels }];
}
