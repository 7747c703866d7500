import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { MachineSpec } from "../../local/machines/driver.ts";
import { portOf, setZoneConnected } from "../../local/machines/network.ts";
import { cutOff } from "../e2e/support/accidents.ts";
import { canConnect, Lab, nodeImage } from "./support/machines.ts";

const run = promisify(execFile);
const port = 5000;
const waitOptions = { timeout: 20_000, interval: 50 };

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

function machineIn(zone: string, host: number): MachineSpec {
  const machine = lab.machine(host);
  return { ...machine, interface: { ...machine.interface, zone } };
}

/** Boots machines that everybody may connect to, and waits until they can be. */
async function listening(machines: readonly MachineSpec[]): Promise<void> {
  const rule = { protocol: "tcp", fromPort: port, toPort: port, cidrs: [lab.cidr] } as const;
  for (const machine of machines) {
    await lab.driver.applyIngress(machine.instanceId, [rule]);
    await lab.driver.boot(machine);
    await lab.shell(machine, `systemd-run --quiet --unit=listen python3 -m http.server ${port}`);
  }
  await reachable(machines, true);
}

async function reachable(machines: readonly MachineSpec[], expected: boolean): Promise<void> {
  for (const {
    interface: { address },
  } of machines) {
    await vi.waitFor(async () => expect(await canConnect(address, port)).toBe(expected), waitOptions);
  }
}

interface Link {
  readonly ifname: string;
  /** What kind of a virtual link; real ones have none. */
  readonly linkinfo?: unknown;
}

/** Links of this host that are up for its administrator. */
async function linksUp(): Promise<Link[]> {
  const { stdout } = await run("ip", ["-json", "-details", "link", "show", "up"]);
  return JSON.parse(stdout) as Link[];
}

const namesOf = (links: readonly Link[]): string[] => links.map(({ ifname }) => ifname);

test("a zone that is cut off reaches nobody, the others go on, and it is back when it is connected", async () => {
  const [here, alsoHere, there] = [
    machineIn("local-1a", 4),
    machineIn("local-1a", 5),
    machineIn("local-1b", 6),
  ] as const;
  await listening([here, alsoHere, there]);
  await setZoneConnected(lab.bridge, "local-1a", false);
  await reachable([here, alsoHere], false);
  await reachable([there], true);
  await setZoneConnected(lab.bridge, "local-1a", true);
  await reachable([here, alsoHere, there], true);
});

test("a machine that is cut off is the only one, and no other link of this host is touched", async () => {
  const [cut, other] = [machineIn("local-1a", 4), machineIn("local-1a", 5)] as const;
  await listening([cut, other]);
  const own = portOf(cut.interface.networkInterfaceId);
  const real = (await linksUp()).filter(({ linkinfo }) => linkinfo === undefined);
  const heal = await cutOff([cut.interface.address]);
  const up = namesOf(await linksUp());
  expect(up).not.toContain(own);
  expect(up).toEqual(expect.arrayContaining([lab.bridge, portOf(other.interface.networkInterfaceId)]));
  expect(up).toEqual(expect.arrayContaining(namesOf(real)));
  await reachable([cut], false);
  await reachable([other], true);
  await heal();
  await reachable([cut, other], true);
});
