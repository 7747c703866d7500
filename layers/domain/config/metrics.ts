import { type MetricsEndpoint, metricsEndpointsOf } from "../cluster/metrics-endpoints.ts";
import { nodePorts } from "../cluster/node-ports.ts";
import type { Peer } from "../node/protocol.ts";
import { exporterSocket } from "./metrics-units.ts";
import { nodePaths, tlsFiles } from "./paths.ts";

/** A Prometheus or two, each with a connection per path. */
const connectionsMax = 100;
/** Prometheus itself gives a scrape up after ten seconds, and an exporter may have to start first. */
const scrapeTimeout = "15s";
/** Longer than most scrape intervals, so that a scrape seldom costs a handshake. */
const keepAlive = "75s";

const loopback = "127.0.0.1";

/** Where the numbers of each endpoint come from: its program itself, or the exporter that stands beside it. */
function serverOf(endpoint: MetricsEndpoint, self: Peer): string {
  const tls = tlsFiles("haproxy");
  const verified = `ssl verify required ca-file ${tls.authority} verifyhost ${self.nodeId}`;
  switch (endpoint) {
    case "patroni":
      return `${loopback}:${nodePorts.patroni} ${verified}`;
    case "etcd":
      return `${loopback}:${nodePorts.etcdClient} ${verified} crt ${tls.bundle}`;
    case "haproxy":
      return `${loopback}:${nodePorts.haproxyStatistics} ${verified}`;
    case "node":
    case "postgres":
    case "pgbouncer":
      return `unix@${exporterSocket(endpoint)}`;
  }
}

/**
 * HAProxy before the metrics of one node, another one than clients come through. Whatever is asked, the program behind
 * it is asked for its metrics and for nothing else: Patroni's and etcd's other verbs are not to be reached this way.
 */
export function renderMetrics(self: Peer): string {
  const endpoints = metricsEndpointsOf(self.services);
  const backends = endpoints.map(
    (endpoint) => `backend ${endpoint}
    server ${endpoint} ${serverOf(endpoint, self)}`,
  );
  return `global
    log stderr format raw daemon notice
    maxconn ${connectionsMax}
    nbthread 1
    ssl-default-bind-options ssl-min-ver TLSv1.2
    ssl-default-server-options ssl-min-ver TLSv1.2

defaults
    log global
    mode http
    option dontlog-normal
    option dontlognull
    timeout connect 1s
    timeout http-request 5s
    timeout http-keep-alive ${keepAlive}
    timeout client ${scrapeTimeout}
    timeout server ${scrapeTimeout}

frontend metrics
    bind unix@${nodePaths.metricsFront} mode 600 ssl crt ${tlsFiles("haproxy").bundle}
    http-request return status 405 hdr Allow GET unless METH_GET
    http-request return status 404 unless { path ${endpoints.map((endpoint) => `/${endpoint}`).join(" ")} }
    http-request set-var(txn.endpoint) path,field(2,/)
    http-request set-uri /metrics
    use_backend %[var(txn.endpoint)]

${backends.join("\n\n")}
`;
}
