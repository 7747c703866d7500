import { readdir, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { unguardPorts } from "../endpoints/guard-ports.ts";
import { defaultStateDirectory, type EnvironmentPaths } from "../environment/paths.ts";
import { type EnvironmentSettings, readSettings } from "../environment/settings.ts";
import { removeEverything } from "../machines/cleanup.ts";
import { NspawnDriver } from "../machines/nspawn.ts";
import { stopControlPlane } from "./control-plane.ts";
import { exclusively } from "./exclusive.ts";
import { print, progress, UserError } from "./terminal.ts";

/** `npm run stop`: control plane and machines down, data kept; `npm start` brings all of it back. */
export async function stop(paths: EnvironmentPaths, settings: EnvironmentSettings): Promise<void> {
  await exclusively(paths, async () => {
    progress("stopping the control plane");
    await stopControlPlane(paths, settings);
    const driver = new NspawnDriver({
      stateDirectory: paths.state,
      bridge: settings.bridge,
      cidr: settings.cidr,
    });
    const machines = await driver.list();
    progress(`shutting down ${machines.length} machines`);
    await Promise.all(machines.map((instanceId) => driver.stop(instanceId)));
  });
  print("stopped; npm start brings everything back");
}

/** `npm run destroy`: nothing of the environment is left, whatever state a crash left it in. */
export async function destroy(paths: EnvironmentPaths): Promise<void> {
  await exclusively(paths, async () => {
    const settings = await readSettings(paths);
    if (settings === null) {
      await refuseForeignDirectory(paths);
    } else {
      progress("stopping the control plane");
      await stopControlPlane(paths, settings);
      progress("removing machines, volumes and the network");
      await removeEverything(paths.state, settings);
      await unguardPorts(settings.bridge);
      await removeAllButSettings(paths);
    }
    await rm(paths.state, { recursive: true, force: true });
    await removeOwnParent(paths);
  });
  print(`destroyed; nothing of ${paths.state} is left`);
}

/** The settings go last: with them a destroy that was interrupted knows its environment again. */
async function removeAllButSettings(paths: EnvironmentPaths): Promise<void> {
  for (const name of await entriesOf(paths.state)) {
    const path = join(paths.state, name);
    if (path !== paths.settings) await rm(path, { recursive: true, force: true });
  }
}

/** A directory without our settings may be somebody's home: only an empty one is taken for ours. */
async function refuseForeignDirectory(paths: EnvironmentPaths): Promise<void> {
  // Settings that were never finished, from a start that was interrupted right there.
  const foreign = (await entriesOf(paths.state)).filter((name) => !/^settings\.json\.[0-9a-f]+$/.test(name));
  if (foreign.length > 0)
    throw new UserError(`${paths.state} holds no environment of pgherd and is left alone: remove it by hand`);
}

/** The default directory's parent is ours as well, and goes with the last environment in it. */
async function removeOwnParent(paths: EnvironmentPaths): Promise<void> {
  const parent = dirname(paths.state);
  if (parent !== dirname(defaultStateDirectory) || (await entriesOf(parent)).length > 0) return;
  try {
    await rmdir(parent);
  } catch (error) {
    // Gone already, or somebody begins another environment in it just now.
    if (!(error instanceof Error && "code" in error && /^(ENOENT|ENOTEMPTY)$/.test(String(error.code))))
      throw error;
  }
}

async function entriesOf(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}
