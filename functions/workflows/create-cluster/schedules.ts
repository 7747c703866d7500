import { schedulesAnew, schedulesInForce, timersOf } from "@pgherd/layers/domain";
import { type ClusterScope, readCluster } from "./records.ts";

/** Makes the schedules what the spec says, and says on the cluster since when they are in force. */
export async function apply(scope: ClusterScope): Promise<string> {
  const { clusterId, operationId, ports } = scope;
  const { schedules: before, spec } = await readCluster(scope);
  const wanted = timersOf(spec.backup);
  await ports.schedules.apply(clusterId, wanted);
  const schedules = schedulesInForce(wanted, before, new Date().toISOString());
  await ports.store.recordOnCluster(clusterId, operationId, { schedules });
  const said = Object.entries(wanted).flatMap(([kind, cron]) => (cron === null ? [] : [`${kind} ${cron}`]));
  return said.length === 0 ? "No backup is taken by itself." : said.join("; ");
}

/** What was due while the cluster stood still has not been missed. */
export async function beginAnew(scope: ClusterScope): Promise<void> {
  const { clusterId, operationId, ports } = scope;
  const { schedules: before } = await readCluster(scope);
  if (before === null) return;
  const schedules = schedulesAnew(before, new Date().toISOString());
  await ports.store.recordOnCluster(clusterId, operationId, { schedules });
}
