import type { Cluster } from "./cluster.ts";
import { proxyNodes } from "./layout.ts";
import { type PairedUser, userOf } from "./logins.ts";
import { passwordParameter } from "./names.ts";
import { nodePorts } from "./node-ports.ts";

/** A client of a pooler that has waited for a leader for so long is told so, and may try again. */
export const clientWaitSeconds = 120;

export interface Endpoint {
  readonly hosts: readonly string[];
  readonly port: number;
  readonly uri: string;
}

export interface ConnectionUser {
  readonly name: string;
  readonly passwordParameter: string;
  /** The login that was current before, as long as it is valid beside this one. */
  readonly retiring: { readonly name: string; readonly until: string } | null;
}

export interface Connection {
  readonly database: string;
  readonly caCertificate: string;
  readonly users: { readonly admin: ConnectionUser; readonly client: ConnectionUser };
  readonly endpoints: {
    readonly readWrite: Endpoint;
    readonly readOnly: Endpoint;
    readonly any: Endpoint;
    /** Null where the spec has no pooler. */
    readonly pooled: Endpoint | null;
  };
}

/** A node that is gone does not answer; the next host of the list is tried after this. */
const connectTimeoutSeconds = 3;
/** A cut link is noticed after this instead of after minutes (libpq on Linux). */
const tcpUserTimeoutMs = 3000;

/**
 * How clients reach a cluster. Every node's proxies lead to the right member, so the order of hosts means nothing and
 * `target_session_attrs` is not needed. Null as long as a new cluster has a proxy without an address.
 */
export function describeConnection(
  cluster: Cluster,
  environment: string,
  caCertificate: string,
): Connection | null {
  const proxies = proxyNodes(cluster.nodes);
  // A node that is being added to a cluster is told of once it runs.
  const isCreating = cluster.status === "creating";
  const hosts = proxies.flatMap((node) =>
    isCreating || node.state !== "pending" ? (node.address ?? []) : [],
  );
  if (hosts.length === 0 || (isCreating && hosts.length < proxies.length)) return null;
  const user = (name: PairedUser) => describeUser(cluster, environment, name);
  const endpoint = (port: number, extra: Readonly<Record<string, string>>): Endpoint => ({
    hosts,
    port,
    uri: connectionUri(hosts, port, cluster.logins.client, cluster.spec.database, extra),
  });
  const direct = { tcp_user_timeout: String(tcpUserTimeoutMs) };
  return {
    database: cluster.spec.database,
    caCertificate,
    users: { admin: user("admin"), client: user("client") },
    endpoints: {
      readWrite: endpoint(nodePorts.readWrite, direct),
      readOnly: endpoint(nodePorts.readOnly, direct),
      any: endpoint(nodePorts.any, direct),
      // Drivers that are not libpq send parameters they do not know to the server, and PgBouncer refuses those.
      pooled: cluster.spec.pooler.enabled ? endpoint(nodePorts.pooled, {}) : null,
    },
  };
}

function describeUser(cluster: Cluster, environment: string, user: PairedUser): ConnectionUser {
  const login = cluster.logins[user];
  const before = cluster.retiring?.logins.find((one) => userOf(one) === user);
  return {
    name: login,
    passwordParameter: passwordParameter(environment, cluster.id, login),
    retiring:
      cluster.retiring === null || before === undefined
        ? null
        : { name: before, until: cluster.retiring.until },
  };
}

function connectionUri(
  hosts: readonly string[],
  port: number,
  login: string,
  database: string,
  extra: Readonly<Record<string, string>>,
): string {
  const parameters = new URLSearchParams({
    sslmode: "verify-full",
    connect_timeout: String(connectTimeoutSeconds),
    ...extra,
  });
  return `postgresql://${login}@${hosts.map((host) => `${host}:${port}`).join(",")}/${database}?${parameters}`;
}
