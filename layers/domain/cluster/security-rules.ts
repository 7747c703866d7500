import type { EnvironmentSettings } from "../environment.ts";
import { nodePorts } from "./node-ports.ts";
import type { ClusterSpec } from "./spec.ts";

/** EC2's default quota of inbound rules of a security group, each with one source and one range of ports. */
export const securityRulesMax = 60;

/** Ports and their origin: a CIDR block, members of another security group, or `self` for those of the same one. */
export interface SecurityRule {
  readonly fromPort: number;
  readonly toPort: number;
  readonly source: { readonly cidr: string } | { readonly securityGroupId: string } | "self";
  readonly description: string;
}

interface PortRange {
  readonly fromPort: number;
  readonly toPort: number;
  readonly description: string;
}

const clientPorts = (spec: ClusterSpec): PortRange[] => [
  { fromPort: nodePorts.readWrite, toPort: nodePorts.any, description: "PostgreSQL through HAProxy" },
  ...(spec.pooler.enabled
    ? [{ fromPort: nodePorts.pooled, toPort: nodePorts.pooled, description: "PostgreSQL through PgBouncer" }]
    : []),
];

const peerPorts: readonly PortRange[] = [
  { fromPort: nodePorts.postgres, toPort: nodePorts.postgres, description: "PostgreSQL between nodes" },
  { fromPort: nodePorts.patroni, toPort: nodePorts.patroni, description: "Patroni REST between nodes" },
  { fromPort: nodePorts.gate, toPort: nodePorts.gate, description: "Role changes between nodes" },
  { fromPort: nodePorts.backup, toPort: nodePorts.backup, description: "Backups between nodes" },
  { fromPort: nodePorts.etcdClient, toPort: nodePorts.etcdPeer, description: "etcd between nodes" },
];

const monitoringPorts: readonly PortRange[] = [
  {
    fromPort: nodePorts.haproxyStatistics,
    toPort: nodePorts.haproxyStatistics,
    description: "HAProxy statistics",
  },
  { fromPort: nodePorts.metrics, toPort: nodePorts.metrics, description: "Metrics for Prometheus" },
];

/** What watches has nothing to do with who uses the database: it is the environment's, the same for every cluster. */
function monitoringRules({ monitoring }: Pick<EnvironmentSettings, "monitoring">): SecurityRule[] {
  const { cidrs, securityGroupId } = monitoring;
  const sources = [{ securityGroupId }, ...[...new Set(cidrs)].map((cidr) => ({ cidr }))];
  return sources.flatMap((source) => monitoringPorts.map((range) => ({ ...range, source })));
}

/** Where a spec names nobody, whom the environment lets in. */
function clientSources(
  { access: { cidrs, securityGroupIds } }: ClusterSpec,
  { defaultClientCidrs }: Pick<EnvironmentSettings, "defaultClientCidrs">,
): SecurityRule["source"][] {
  const isNobody = cidrs.length + securityGroupIds.length === 0;
  return [
    ...[...new Set(isNobody ? defaultClientCidrs : cidrs)].map((cidr) => ({ cidr })),
    ...[...new Set(securityGroupIds)].map((securityGroupId) => ({ securityGroupId })),
  ];
}

/**
 * PostgreSQL itself, Patroni and etcd are for nodes alone; clients come through the proxy and the pooler, and numbers
 * are for whoever watches.
 */
export function securityRules(
  spec: ClusterSpec,
  settings: Pick<EnvironmentSettings, "defaultClientCidrs" | "monitoring">,
): SecurityRule[] {
  const fromNodes = [...peerPorts, ...clientPorts(spec)].map((range) => ({
    ...range,
    source: "self" as const,
  }));
  const fromClients = clientSources(spec, settings).flatMap((source) =>
    clientPorts(spec).map((range) => ({ ...range, source })),
  );
  return [...fromNodes, ...fromClients, ...monitoringRules(settings)];
}
