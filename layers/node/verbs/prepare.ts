import { createPublicKey } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import {
  mountUnit,
  nodePaths,
  renderMountUnit,
  renderVolumeUnit,
  volumeDevice,
  volumeUnit,
} from "../../domain/config/index.ts";
import { ensureAccount } from "../accounts.ts";
import type { VerbFunction } from "../context.ts";
import { Deadline } from "../deadline.ts";
import { NodeFailure } from "../failure.ts";
import { ensureFileSystem } from "../file-system.ts";
import { ensureDirectory, ensureFile, readIfPresent, root } from "../files.ts";
import { run } from "../process.ts";
import { enable, reloadUnits, startAndWait } from "../systemd.ts";
import { isBlockDevice } from "../volume.ts";

/** EC2 shows a volume to its instance within seconds of attaching it. */
const volumeDeadlineMs = 60_000;
async function isMounted(): Promise<boolean> {
  const mounts = await readFile("/proc/self/mounts", "utf8");
  return mounts.split("\n").some((line) => line.split(" ")[1] === nodePaths.data);
}

async function mountVolume(volumeId: string): Promise<void> {
  const units = { [volumeUnit]: renderVolumeUnit(volumeId), [mountUnit]: renderMountUnit(volumeId) };
  let changed = false;
  for (const [name, content] of Object.entries(units)) {
    const file = { path: `${nodePaths.units}/${name}`, content, owner: root, mode: 0o644 };
    changed = (await ensureFile(file)) || changed;
  }
  if (await isMounted()) return;
  const device = volumeDevice(volumeId);
  await new Deadline(volumeDeadlineMs).until(
    async () => ((await isBlockDevice(device)) ? true : null),
    () =>
      new NodeFailure(`volume ${volumeId} did not appear on the node as ${device}`, {
        code: "volume-missing",
      }),
  );
  await ensureFileSystem(device);
  await enable([mountUnit]);
  if (changed) await reloadUnits();
  await startAndWait(mountUnit);
}

async function makeDirectories(): Promise<void> {
  const [etcd, postgres] = await Promise.all([ensureAccount("etcd"), ensureAccount("postgres")]);
  await ensureDirectory(nodePaths.data, root, 0o755);
  await ensureDirectory(nodePaths.etcdData, etcd, 0o700);
  await ensureDirectory(nodePaths.postgresParent, postgres, 0o700);
}

/** The key never leaves the node. It is made once: a certificate for it may already be in use. */
async function ensureKey(): Promise<void> {
  await ensureDirectory(dirname(nodePaths.key), root, 0o700);
  const key = await readIfPresent(nodePaths.key);
  if (key !== null) return;
  const made = await run("openssl", ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
  createPublicKey(made.stdout);
  await ensureFile({ path: nodePaths.key, content: made.stdout, owner: root, mode: 0o600 });
}

/** The control plane decides on the certificate's names; the request proves that the key is here. */
async function requestCertificate(nodeId: string): Promise<string> {
  await ensureKey();
  const request = await run("openssl", ["req", "-new", "-key", nodePaths.key, "-subj", `/CN=${nodeId}`]);
  return request.stdout;
}

export const prepare: VerbFunction<"prepare"> = async (input) => {
  const [certificateRequest] = await Promise.all([
    requestCertificate(input.nodeId),
    mountVolume(input.volumeId).then(makeDirectories),
    ensureAccount("pgbouncer"),
  ]);
  return { certificateRequest };
};
