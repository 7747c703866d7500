import { afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { Lab, nodeImage } from "./support/machines.ts";

let image: string;
let lab: Lab;
beforeAll(async () => {
  image = await nodeImage();
});
beforeEach(async () => {
  lab = await Lab.create(image);
});
afterEach(async () => {
  await lab[Symbol.asyncDispose]();
});

const volumeId = "vol-0123456789abcdef0";
const device = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0";
const mount = `mkdir -p /data && mount ${device} /data`;
const waitOptions = { timeout: 20_000, interval: 50 };

test("a volume outlives its machine: what one wrote another reads", async () => {
  const [first, second] = [lab.machine(4), lab.machine(5)];
  await lab.driver.createVolume(volumeId, 1);
  await lab.driver.boot(first);
  await lab.driver.attachVolume(volumeId, first.instanceId);
  await lab.shell(first, `mkfs.xfs -q ${device} && ${mount} && echo kept > /data/file && sync`);
  await lab.driver.kill(first.instanceId);
  await lab.driver.detachVolume(volumeId, first.instanceId);
  await lab.driver.attachVolume(volumeId, second.instanceId);
  await lab.driver.boot(second);
  expect(await lab.shell(second, `${mount} && cat /data/file`)).toBe("kept");
});

test("an attached volume is there again after every way of booting", async () => {
  const machine = lab.machine(4);
  await lab.driver.createVolume(volumeId, 1);
  await lab.driver.boot(machine);
  await lab.driver.attachVolume(volumeId, machine.instanceId);
  await lab.shell(machine, `test -b ${device} && systemctl reboot`);
  await vi.waitFor(() => lab.shell(machine, `test ! -e /run/before && test -b ${device}`), waitOptions);
  await lab.driver.kill(machine.instanceId);
  await lab.driver.boot(machine);
  await lab.shell(machine, `test -b ${device}`);
  await lab.driver.detachVolume(volumeId, machine.instanceId);
  await lab.shell(machine, `test ! -e ${device}`);
});

test("a volume that is full is full", async () => {
  const machine = lab.machine(4);
  await lab.driver.createVolume(volumeId, 1);
  await lab.driver.boot(machine);
  await lab.driver.attachVolume(volumeId, machine.instanceId);
  await lab.shell(machine, `mkfs.xfs -q ${device} && ${mount}`);
  const fill = lab.shell(machine, "fallocate -l 1500M /data/big");
  await expect(fill).rejects.toThrow(/No space left on device/);
});

test("a volume grows while it is in use, as its machine sees it", async () => {
  const machine = lab.machine(4);
  await lab.driver.createVolume(volumeId, 1);
  await lab.driver.boot(machine);
  await lab.driver.attachVolume(volumeId, machine.instanceId);
  await lab.shell(machine, `mkfs.xfs -q ${device} && ${mount} && echo kept > /data/file`);
  await lab.driver.resizeVolume(volumeId, 2);
  expect(await lab.shell(machine, `blockdev --getsize64 ${device}; cat /data/file`)).toBe(
    `${2 * 1024 ** 3}\nkept`,
  );
  await lab.shell(machine, "xfs_growfs -d /data");
  expect(await lab.shell(machine, "fallocate -l 1500M /data/big && cat /data/file")).toBe("kept");
});
