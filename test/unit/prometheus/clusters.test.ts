import { expect, test } from "vitest";
import { clusterGaugesOf, findingKinds, renderText, type ToldCluster } from "../../../layers/domain/index.ts";
import { toldCluster } from "../../world/told-cluster.ts";

const textOf = (...told: ToldCluster[]): string => renderText(clusterGaugesOf("prod", told, 0));
const seriesOf = (...told: ToldCluster[]): string[] =>
  textOf(...told)
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.replace('environment="prod",cluster="orders",cluster_id="clu_1"', "…"));

const epochSeconds = (at: string): number => Date.parse(at) / 1000;

test("a cluster tells its status, each finding, and when each of its proofs was", () => {
  const drilledAt = epochSeconds("2026-01-01T02:00:00Z");
  expect(seriesOf(toldCluster())).toEqual([
    'pgherd_clusters{environment="prod"} 1',
    'pgherd_clusters_left_out{environment="prod"} 0',
    'pgherd_cluster_status{…,status="degraded"} 1',
    "pgherd_cluster_watched{…} 1",
    `pgherd_cluster_observed_timestamp_seconds{…} ${epochSeconds("2026-01-08T02:00:00.250Z")}`,
    'pgherd_cluster_finding{…,finding="drill-failed"} 1',
    'pgherd_cluster_finding{…,finding="certificate-expires",node="nod_1"} 1',
    `pgherd_cluster_last_backup_timestamp_seconds{…} ${epochSeconds("2026-01-08T01:00:00Z")}`,
    `pgherd_cluster_wal_archived_timestamp_seconds{…} ${epochSeconds("2026-01-08T01:59:30.500Z")}`,
    "pgherd_cluster_wal_archive_wait_seconds{…} 12.5",
    `pgherd_cluster_last_drill_timestamp_seconds{…} ${drilledAt}`,
    "pgherd_cluster_last_drill_success{…} 0",
    "pgherd_cluster_restore_seconds{…} 42.5",
    `pgherd_cluster_last_verification_timestamp_seconds{…} ${drilledAt}`,
    "pgherd_cluster_last_verification_success{…} 1",
    `pgherd_cluster_certificate_expiry_timestamp_seconds{…} ${epochSeconds("2026-01-10T00:00:00Z")}`,
  ]);
});

test("of what nobody knows there is no number, not even a zero", () => {
  const { cluster, record } = toldCluster({
    status: "available",
    lastDrill: null,
    measuredRecovery: null,
    lastVerification: null,
  });
  const unknown = { ...record, archivedUntil: null, certificatesUntil: null };
  expect(seriesOf({ cluster, record: unknown, metrics: null }).slice(2)).toEqual([
    'pgherd_cluster_status{…,status="available"} 1',
    "pgherd_cluster_watched{…} 1",
  ]);
});

test("while an operation changes a cluster nobody looks at it, and what was found before is not told", () => {
  const series = seriesOf(toldCluster({ status: "updating", activeOperationId: "opn_2" }));
  expect(series).toContain("pgherd_cluster_watched{…} 0");
  expect(series.join("\n")).not.toMatch(/pgherd_cluster_finding|pgherd_cluster_wal_archive_wait/);
});

test("the newest backup is of the same moment from look to look", () => {
  const { metrics, ...told } = toldCluster();
  if (metrics === null) throw new Error("the cluster was not looked at");
  const lookAt = (observedAt: string, backupAgeSeconds: number): string | undefined =>
    seriesOf({ ...told, metrics: { ...metrics, observedAt, backupAgeSeconds } }).find((line) =>
      line.includes("last_backup"),
    );
  expect(lookAt("2026-01-08T02:01:07.999Z", 67)).toBe(lookAt("2026-01-08T02:00:00.001Z", 0));
});

test("all series of a metric stand together, whatever clusters there are", () => {
  const other = toldCluster({ id: "clu_2", name: "events" });
  const names = [...textOf(toldCluster(), other).matchAll(/^(\w+)\{/gm)].map(([, name]) => name);
  const changes = names.filter((name, index) => name !== names[index - 1]);
  expect(changes).toEqual([...new Set(names)]);
});

test("thousands of clusters with a handful of findings each fit into an answer of Lambda", () => {
  const ulid = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
  const { record, ...told } = toldCluster({ id: `clu_${ulid}`, name: "a".repeat(30) });
  const findings = findingKinds.slice(0, 5).map((kind) => `${kind} nod_${ulid}`);
  const clusters = Array.from({ length: 2_000 }, () => ({ ...told, record: { ...record, findings } }));
  // As it is told to API Gateway: text in JSON.
  const answer = JSON.stringify({ body: renderText(clusterGaugesOf("production", clusters, 0)) });
  expect(Buffer.byteLength(answer)).toBeLessThan(6 * 1024 ** 2);
});
