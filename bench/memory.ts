import { readdir, readFile } from "node:fs/promises";
import type { Cluster } from "@pgherd/layers/domain";
import type { Api } from "../test/e2e/support/api.ts";
import type { Environment } from "../test/e2e/support/environment.ts";
import { processesAt } from "../test/e2e/support/machines.ts";
import { report } from "./figure.ts";

const kibiPerMebi = 1024;

/** Proportional set size: memory that processes share is counted once among them. */
async function pssMiB(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, "utf8").catch(() => "");
  return Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0) / kibiPerMebi;
}

async function descendants(root: number): Promise<number[]> {
  const parents = new Map<number, number>();
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const status = await readFile(`/proc/${name}/status`, "utf8").catch(() => "");
    parents.set(Number(name), Number(/^PPid:\s+(\d+)/m.exec(status)?.[1] ?? 0));
  }
  const found = [root];
  for (const pid of found)
    for (const [child, parent] of parents) if (parent === pid && !found.includes(child)) found.push(child);
  return found;
}

async function sum(pids: Iterable<number>): Promise<number> {
  let total = 0;
  for (const pid of new Set(pids)) total += await pssMiB(pid);
  return total;
}

/** Memory of the control plane and of an idle cluster with three members. */
export async function benchMemory(environment: Environment, api: Api): Promise<void> {
  const cluster: Cluster = await api.createAvailable({ name: "bench-memory" });
  const pids: number[] = [];
  for (const node of cluster.nodes)
    for (const { pid } of await processesAt(node.address ?? "")) pids.push(pid);
  report("cluster of three members, idle, MiB", [await sum(pids)]);
  const { pids: named } = await environment.file();
  for (const [name, pid] of Object.entries(named))
    report(`control plane: ${name} with its children, MiB`, [await sum(await descendants(pid))]);
  await api.remove(cluster.id);
}
