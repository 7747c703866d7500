import type { Api } from "../test/e2e/support/api.ts";
import { report, stopwatch } from "./figure.ts";

const clients = 10;
const mutations = 20;

/** Reads by ten parallel clients while a create runs, and the answer to a POST on a quiet control plane. */
export async function benchLatency(api: Api): Promise<void> {
  const posts: number[] = [];
  for (let run = 0; run < mutations; run += 1) {
    posts.push(
      await stopwatch(() => api.call("POST", "/v1/clusters?dryRun=true", { body: { name: `dry-${run}` } })),
    );
  }
  report("POST /v1/clusters?dryRun=true, ms", posts);

  const accepted: number[] = [];
  for (let run = 0; run < mutations; run += 1) {
    const startedAt = performance.now();
    const { cluster, operation } = await api.create({ name: `post-${run}`, members: 1 });
    accepted.push(performance.now() - startedAt);
    await api.call("POST", `/v1/operations/${operation.id}/cancel`);
    await api.operationEnd(operation.id);
    await api.call("DELETE", `/v1/clusters/${cluster.id}`);
  }
  report("POST /v1/clusters to 202, ms", accepted);

  const { cluster, operation } = await api.create({ name: "under-load" });
  const paths = {
    "GET /v1/clusters": "/v1/clusters",
    "GET /v1/clusters/{id}": `/v1/clusters/${cluster.id}`,
    "GET /v1/operations/{id}": `/v1/operations/${operation.id}`,
  };
  const samples = new Map<string, number[]>(Object.keys(paths).map((name) => [name, []]));
  let running = true;
  const load = Array.from({ length: clients }, async () => {
    while (running) {
      for (const [name, path] of Object.entries(paths))
        samples.get(name)?.push(await stopwatch(() => api.get(path)));
    }
  });
  await api.operationEnd(operation.id);
  running = false;
  await Promise.all(load);
  for (const [name, times] of samples) report(`${name}, ten clients during a create, ms`, times);
  await api.remove(cluster.id);
}
