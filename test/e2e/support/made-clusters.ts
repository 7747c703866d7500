import type { Cluster, Operation } from "@pgherd/layers/domain";
import { api } from "./world.ts";

/** Clusters of one file of tests: each is noted before it is there, and goes whatever has become of it. */
export class MadeClusters {
  readonly #ids: string[] = [];

  /** Waits for the end of the operation that makes one, however it ends. */
  async end(path: string, body: unknown): Promise<Operation> {
    const { clusterId, id } = await api.begin("POST", path, body);
    this.#ids.push(clusterId);
    return api.operationEnd(id);
  }

  /** @throws where it is not made */
  async make(path: string, body: unknown): Promise<Cluster> {
    const ended = await this.end(path, body);
    if (ended.state !== "succeeded") throw new Error(`POST ${path}: ${JSON.stringify(ended)}`);
    return (await api.get<Cluster>(`/v1/clusters/${ended.clusterId}`)).body;
  }

  async remove(): Promise<void> {
    const removed = this.#ids.map(async (id) => {
      if ((await api.get(`/v1/clusters/${id}`)).status === 200) await api.remove(id);
    });
    await Promise.all(removed);
  }
}
