import type { EnvironmentPaths } from "../environment/paths.ts";
import { addressesOf, type EnvironmentSettings } from "../environment/settings.ts";
import { NspawnDriver } from "../machines/nspawn.ts";
import { ApiClient } from "./api-client.ts";
import { runningControlPlane } from "./control-plane.ts";
import { print } from "./terminal.ts";

/** `npm run status`: what is up, cluster by cluster and node by node. */
export async function status(paths: EnvironmentPaths, settings: EnvironmentSettings): Promise<void> {
  const driver = new NspawnDriver({
    stateDirectory: paths.state,
    bridge: settings.bridge,
    cidr: settings.cidr,
  });
  const pid = await runningControlPlane(paths, settings);
  print(`environment    ${paths.state}`);
  if (pid === null) {
    print("control plane  down: npm start brings it up");
    const machines = await driver.list();
    const running = await Promise.all(machines.map((instanceId) => driver.isRunning(instanceId)));
    print(`machines       ${running.filter(Boolean).length} of ${machines.length} run`);
    return;
  }
  print(`control plane  up (process ${pid}), API ${addressesOf(settings).api}`);
  const clusters = await new ApiClient(paths, settings).clusters();
  if (clusters.length === 0) print("clusters       none");
  for (const cluster of clusters) {
    print(`\n${cluster.name}  ${cluster.id}  ${cluster.status}: ${cluster.statusReason}`);
    for (const node of cluster.nodes) {
      const running = node.instanceId !== null && (await driver.isRunning(node.instanceId));
      const machine = running ? "runs" : "does not run";
      print(`  ${node.id}  ${node.zone}  ${node.address ?? "-"}  ${node.instanceId ?? "-"} ${machine}`);
    }
  }
}
