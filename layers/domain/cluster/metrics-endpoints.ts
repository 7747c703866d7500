import type { NodeService } from "./cluster.ts";

/** What a node tells Prometheus of: each has its own path behind {@link nodePorts.metrics}, `/node`, `/postgres` … */
export const metricsEndpoints = ["node", "postgres", "patroni", "etcd", "haproxy", "pgbouncer"] as const;
export type MetricsEndpoint = (typeof metricsEndpoints)[number];

const toldBy: Readonly<Record<NodeService, readonly MetricsEndpoint[]>> = {
  postgres: ["postgres", "patroni"],
  etcd: ["etcd"],
  haproxy: ["haproxy"],
  pgbouncer: ["pgbouncer"],
};

/** Those of a node that runs these services, always in the same order. */
export function metricsEndpointsOf(services: readonly NodeService[]): MetricsEndpoint[] {
  const told = new Set<MetricsEndpoint>(["node", ...services.flatMap((service) => toldBy[service])]);
  return metricsEndpoints.filter((endpoint) => told.has(endpoint));
}
