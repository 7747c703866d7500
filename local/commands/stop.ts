import { readdir, rm } from "node:fs/promises";
import { unguardPorts } from "../endpoints/guard-ports.ts";
import type { EnvironmentPaths } from "../environment/paths.ts";
import { type EnvironmentSettings, readSettings } from "../environment/settings.ts";
import { removeEverything } from "../machines/cleanup.ts";
import { NspawnDriver } from "../machines/nspawn.ts";
import { stopControlPlane } from "./control-plane.ts";
import { print, progress, UserError } from "./terminal.ts";

/** `npm run stop`: control plane and machines down, data kept; `npm start` brings all of it back. */
export async function stop(paths: EnvironmentPaths, settings: EnvironmentSettings): Promise<void> {
  progress("stopping the control plane");
  await stopControlPlane(paths);
  const driver = new NspawnDriver({
    stateDirectory: paths.state,
    bridge: settings.bridge,
    cidr: settings.cidr,
  });
  const machines = await driver.list();
  progress(`shutting down ${machines.length} machines`);
  await Promise.all(machines.map((instanceId) => driver.stop(instanceId)));
  print("stopped; npm start brings everything back");
}

/** `npm run destroy`: nothing of the environment is left, whatever state a crash left it in. */
export async function destroy(paths: EnvironmentPaths): Promise<void> {
  const settings = await readSettings(paths);
  if (settings === null) {
    await refuseForeignDirectory(paths);
  } else {
    progress("stopping the control plane");
    await stopControlPlane(paths);
    progress("removing machines, volumes and the network");
    await removeEverything(paths.state, settings);
    await unguardPorts(settings.bridge);
  }
  await rm(paths.state, { recursive: true, force: true });
  print(`destroyed; nothing of ${paths.state} is left`);
}

/** A directory without our settings may be somebody's home: only an empty one is taken for ours. */
async function refuseForeignDirectory(paths: EnvironmentPaths): Promise<void> {
  try {
    const entries = await readdir(paths.state);
    if (entries.length > 0)
      throw new UserError(
        `${paths.state} holds no environment of pgherd and is left alone: remove it by hand`,
      );
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}
