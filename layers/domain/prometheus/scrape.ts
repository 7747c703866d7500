import { type MetricsEndpoint, metricsEndpoints } from "../cluster/metrics-endpoints.ts";
import { renderYaml, type YamlMapping } from "../config/yaml.ts";
import { endpointsLabel, synchronousLabel } from "./targets.ts";

/** A failover is over within seconds: rarer questions would often miss it. */
const scrapeInterval = "15s";
/** Nodes come and go by operations, which take longer. */
const refreshInterval = "1m";

/** Of programs themselves, not of what they do; a third of all series, and no rule reads them. */
const noise = "(go|promhttp|etcd_debugging)_.*";

/** Files are looked for beside the configuration. */
export interface ScrapePlaces {
  /** Address of the environment's API. */
  readonly api: string;
  /** A token of a viewer. */
  readonly tokenFile: string;
  /** The CA certificates of all clusters, one after the other. */
  readonly authoritiesFile: string;
  readonly rulesFile: string;
}

/** Of what the API tells. */
export const controlPlaneJob = "pgherd-control-plane";
/** It is written once a minute. */
const controlPlaneInterval = "1m";
/** The API's gateway gives up after that. */
const controlPlaneTimeout = "30s";

export const jobOf = (endpoint: MetricsEndpoint): string => `pgherd-${endpoint}`;

function job(endpoint: MetricsEndpoint, places: ScrapePlaces): YamlMapping {
  const keep = { source_labels: [endpointsLabel], regex: `.*,${endpoint},.*`, action: "keep" };
  const synchronous = { source_labels: [synchronousLabel], target_label: "synchronous_standbys" };
  return {
    job_name: jobOf(endpoint),
    scheme: "https",
    metrics_path: `/${endpoint}`,
    tls_config: { ca_file: places.authoritiesFile },
    http_sd_configs: [
      {
        url: `${places.api}/v1/prometheus/targets`,
        authorization: { credentials_file: places.tokenFile },
        refresh_interval: refreshInterval,
      },
    ],
    relabel_configs: endpoint === "patroni" ? [keep, synchronous] : [keep],
    metric_relabel_configs: [{ source_labels: ["__name__"], regex: noise, action: "drop" }],
  };
}

function controlPlane({ api, tokenFile }: ScrapePlaces): YamlMapping {
  const { host, pathname, protocol } = new URL(`${api}/v1/prometheus/metrics`);
  return {
    job_name: controlPlaneJob,
    scheme: protocol.replace(":", ""),
    metrics_path: pathname,
    scrape_interval: controlPlaneInterval,
    scrape_timeout: controlPlaneTimeout,
    authorization: { credentials_file: tokenFile },
    static_configs: [{ targets: [host] }],
  };
}

/** A whole configuration of Prometheus; its jobs can as well be copied into another one. */
export function renderScrapeConfiguration(places: ScrapePlaces): string {
  return renderYaml({
    global: { scrape_interval: scrapeInterval, evaluation_interval: scrapeInterval },
    rule_files: [places.rulesFile],
    scrape_configs: [...metricsEndpoints.map((endpoint) => job(endpoint, places)), controlPlane(places)],
  });
}
