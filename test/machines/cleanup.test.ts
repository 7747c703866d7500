import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import { listRemains, removeEverything } from "../../local/machines/cleanup.ts";
import { redirectServices } from "../../local/machines/network.ts";
import { Lab, nodeImage } from "./support/machines.ts";

const run = promisify(execFile);
let image: string;
beforeAll(async () => {
  image = await nodeImage();
});

const volumeId = "vol-0123456789abcdef1";

async function busy(lab: Lab): Promise<string> {
  const machine = lab.machine(4);
  await lab.driver.createVolume(volumeId, 1);
  await lab.driver.attachVolume(volumeId, machine.instanceId);
  await lab.driver.boot(machine);
  await redirectServices({ bridge: lab.bridge, cidr: lab.cidr }, { metadata: 4_999, objects: 4_998 });
  const device = "/dev/nvme1n1";
  await lab.shell(machine, `mkfs.xfs -q ${device} && mkdir /data && mount ${device} /data`);
  return machine.instanceId;
}

test("nothing is left of an environment whose machines run, and its neighbour notices nothing", async () => {
  await using neighbour = await Lab.create(image);
  await using lab = await Lab.create(image);
  const machine = neighbour.machine(4);
  await neighbour.driver.boot(machine);
  await busy(lab);
  await removeEverything(lab.state, { bridge: lab.bridge });
  expect(await listRemains(lab.state, { bridge: lab.bridge })).toEqual([]);
  expect(await processesNaming(lab.state)).toEqual([]);
  expect(await neighbour.shell(machine, "systemctl is-active basic.target")).toBe("active");
  // Again, when there is nothing: no error.
  await removeEverything(lab.state, { bridge: lab.bridge });
});

test("nothing is left after a crash half way: killed machines, open devices, a namespace without a machine", async () => {
  await using lab = await Lab.create(image);
  const instanceId = await busy(lab);
  const { Cgroup } = await import("../../local/machines/cgroup.ts");
  await new Cgroup(lab.bridge, instanceId).kill();
  await run("ip", ["netns", "add", `${lab.bridge}-i-0half`]);
  await mkdir(join(lab.state, "machines", "i-0half", "upper"), { recursive: true });
  await writeFile(join(lab.state, "volumes", "vol-0half.new"), "");
  await mkdir(join(lab.state, "machines", "mounted by hand"));
  await run("mount", ["-t", "tmpfs", "tmpfs", join(lab.state, "machines", "mounted by hand")]);
  await removeEverything(lab.state, { bridge: lab.bridge });
  expect(await listRemains(lab.state, { bridge: lab.bridge })).toEqual([]);
});

async function processesNaming(text: string): Promise<string[]> {
  const { stdout } = await run("ps", ["-eo", "args"], { maxBuffer: 16 * 1024 * 1024 });
  return stdout.split("\n").filter((line) => line.includes(text));
}
