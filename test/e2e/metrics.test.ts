import { request } from "node:https";
import type { Cluster, Connection, MetricsEndpoint, PrometheusTarget } from "@pgherd/layers/domain";
import { beforeAll, describe, expect, test } from "vitest";
import { waitFor } from "./support/wait.ts";
import { api, environment } from "./support/world.ts";

/** The first question starts the front and an exporter, on a machine that is busy with other things. */
const answerSeconds = 60;
const requestTimeoutMs = 20_000;

/** A number of each endpoint that says that there is something behind it. */
const telling: Readonly<Record<MetricsEndpoint, RegExp>> = {
  node: /^node_load1 [\d.]+$/m,
  postgres: /^pg_up 1$/m,
  patroni: /^patroni_postgres_running\{.*\} 1$/m,
  etcd: /^etcd_server_has_leader 1$/m,
  haproxy: /^haproxy_server_status\{proxy="read_write",.*state="UP"\} 1$/m,
  pgbouncer: /^pgbouncer_up 1$/m,
};

interface Question {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly method?: string;
  readonly ca?: string;
}

function ask({ method = "GET", ...question }: Question): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ ...question, method, agent: false, timeout: requestTimeoutMs }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk: string) => {
        text += chunk;
      });
      answer.once("error", reject);
      answer.once("end", () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    asked.once("timeout", () => asked.destroy(new Error(`no answer within ${requestTimeoutMs} ms`)));
    asked.once("error", reject);
    asked.end();
  });
}

describe("what a Prometheus that may watch finds on the nodes of a cluster", () => {
  let demo: Cluster;
  let ca: string;
  let targets: readonly PrometheusTarget[];

  beforeAll(async () => {
    demo = await api.demo();
    ca = (await api.get<Connection>(`/v1/clusters/${demo.id}/connection`)).body.caCertificate;
    const all = await api.get<PrometheusTarget[]>("/v1/prometheus/targets");
    targets = all.body.filter(({ labels }) => labels["cluster_id"] === demo.id);
  });

  const placeOf = (target: PrometheusTarget | undefined): { host: string; port: number } => {
    const [host = "", port = ""] = target?.targets[0]?.split(":") ?? [];
    return { host, port: Number(port) };
  };

  test("each of its nodes is told of", () => {
    expect(targets.map(({ labels }) => labels["node"])).toEqual(demo.nodes.map(({ id }) => id));
  });

  test.each(Object.entries(telling))(
    "%s of every node, over TLS that the cluster's CA vouches for",
    async (endpoint, number) => {
      const having = targets.filter(({ labels }) =>
        labels["__meta_pgherd_endpoints"]?.includes(`,${endpoint},`),
      );
      expect(having).not.toEqual([]);
      for (const target of having) {
        const place = { ...placeOf(target), path: `/${endpoint}`, ca };
        await waitFor(`${endpoint} of ${place.host} tells ${number}`, answerSeconds, async () => {
          const { status, text } = await ask(place);
          return status === 200 && number.test(text) ? true : undefined;
        });
      }
    },
  );

  test("nothing but numbers: no other path of Patroni or etcd, and no verb that changes something", async () => {
    const place = { ...placeOf(targets[0]), ca };
    for (const path of ["/", "/patroni/config", "/config", "/v3/kv/range"])
      expect((await ask({ ...place, path })).status, path).toBe(404);
    expect((await ask({ ...place, path: "/patroni", method: "POST" })).status).toBe(405);
    expect((await ask({ ...place, path: "/patroni?path=/config" })).text).toContain("patroni_version");
  });

  test("a certificate that nobody takes who does not know the cluster's CA", async () => {
    await expect(ask({ ...placeOf(targets[0]), path: "/node" })).rejects.toThrow(/certificate/);
  });
});

test("what pgherd itself knows of a cluster is found through the API, with a token and in text", async () => {
  const { id, name } = await api.demo();
  const { api: address } = await environment.file();
  const answer = await fetch(`${address}/v1/prometheus/metrics`, {
    headers: { authorization: `Bearer ${await environment.token()}` },
    signal: AbortSignal.timeout(requestTimeoutMs),
  });
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect(await answer.text()).toMatch(
    new RegExp(
      `^pgherd_cluster_status\\{environment="\\w+",cluster="${name}",cluster_id="${id}",.*\\} 1$`,
      "m",
    ),
  );
});
