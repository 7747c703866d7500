import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { setZoneConnected } from "../../../local/machines/network.ts";
import type { Environment } from "./environment.ts";
import { initAt, onMachine, processesAt } from "./machines.ts";

const run = promisify(execFile);

interface Link {
  readonly ifindex: number;
  readonly ifname: string;
  readonly link_index?: number;
  readonly master?: string;
  readonly ifalias?: string;
}

/** Ports of machines are called after zone and interface: nothing else of this host is ever taken down. */
const machinePort = /^[^/]+\/eni-[0-9a-f]+$/;

async function links(program: string, args: readonly string[]): Promise<Link[]> {
  const { stdout } = await run(program, [...args]);
  return JSON.parse(stdout) as Link[];
}

/**
 * The host's end of a machine's link, which the machine's end names by number. The kernel is asked within the machine's
 * network alone: the files under a machine's /sys are this host's, and its eth0 is another one.
 */
async function linkOf(address: string): Promise<string> {
  const { pid } = await initAt(address);
  const inside = ["-t", String(pid), "-n", "ip", "-json", "link", "show", "dev", "eth0"];
  const [own] = await links("nsenter", inside);
  const ports = await links("ip", ["-json", "link", "show", "type", "veth"]);
  const port = ports.find(({ ifindex }) => ifindex === own?.link_index);
  if (port?.master === undefined || !machinePort.test(port.ifalias ?? "")) {
    throw new Error(`no port of a machine leads to ${address}`);
  }
  return port.ifname;
}

/** Cuts machines off the network, and returns what connects them again. Nobody is told: packets are lost. */
export async function cutOff(addresses: readonly string[]): Promise<() => Promise<void>> {
  const ports = await Promise.all(addresses.map(linkOf));
  await setLinks(ports, "down");
  return () => setLinks(ports, "up");
}

/** Cuts every machine of a zone off from the other zones and this host, and returns what connects them again. */
export async function cutZone(environment: Environment, zone: string): Promise<() => Promise<void>> {
  const settings = JSON.parse(await readFile(join(environment.stateDirectory, "settings.json"), "utf8")) as {
    bridge: string;
  };
  await setZoneConnected(settings.bridge, zone, false);
  return () => setZoneConnected(settings.bridge, zone, true);
}

async function setLinks(ports: readonly string[], state: "up" | "down"): Promise<void> {
  for (const link of ports) await run("ip", ["link", "set", "dev", link, state]);
}

/** Loses every packet that machines send to S3, on connections that they have as well; returns what lets them through. */
export async function cutOffObjectStore(addresses: readonly string[]): Promise<() => Promise<void>> {
  const table = "inet pgherd_cut";
  const chain = "type filter hook output priority filter; tcp dport 443 drop;";
  const each = async (rule: string): Promise<void> => {
    for (const address of addresses) {
      const { pid } = await initAt(address);
      await run("nsenter", ["-t", String(pid), "-n", "nft", rule]);
    }
  };
  await each(`table ${table} { chain output { ${chain} }; }`);
  return () => each(`delete table ${table}`);
}

/** Every process of the node whose command line fits. */
async function pidsAt(address: string, fits: RegExp): Promise<number[]> {
  const all = await processesAt(address);
  const found = all.filter(({ argv }) => fits.test(argv.join(" "))).map(({ pid }) => pid);
  if (found.length === 0) throw new Error(`nothing at ${address} is called like ${fits}`);
  return found;
}

export const programs = {
  etcd: /^\/usr\/bin\/etcd /,
  patroni: /python3 \S*patroni(-wrapper\.py)? /,
  haproxy: /^\/usr\/sbin\/haproxy /,
  pgbouncer: /pgbouncer /,
} as const;

/** Sends a signal to every process of a program. */
export async function signal(
  address: string,
  program: keyof typeof programs,
  name: "SIGKILL" | "SIGSTOP" | "SIGCONT",
): Promise<void> {
  for (const pid of await pidsAt(address, programs[program])) process.kill(pid, name);
}

/** Kills a service with -9 and keeps systemd from starting it again; returns what starts it. */
export async function killForGood(address: string, unit: string): Promise<() => Promise<void>> {
  const override = `/run/systemd/system/${unit}.d`;
  // Known to systemd before the service dies.
  await shellAt(
    address,
    `mkdir -p ${override} && printf '[Service]\\nRestart=no\\n' >${override}/no-restart.conf && systemctl daemon-reload && systemctl kill --kill-whom=main --signal=KILL ${unit}`,
  );
  return async () => {
    await shellAt(
      address,
      `rm -rf ${override} && systemctl daemon-reload && systemctl reset-failed ${unit}; systemctl start ${unit}`,
    );
  };
}

export function shellAt(address: string, script: string): Promise<string> {
  return onMachine(address, ["/bin/sh", "-c", script]);
}

/** Takes all the room of a node's data volume; returns what gives it back. */
export async function fillVolume(address: string): Promise<() => Promise<void>> {
  const filler = "/var/lib/pgherd/data/filler";
  await shellAt(address, `dd if=/dev/zero of=${filler} bs=1M 2>/dev/null; df ${filler} | grep -q 100%`);
  return async () => {
    await shellAt(address, `rm -f ${filler}`);
  };
}

/** Pulls the plug and returns when the machine's last process is gone. */
export async function pullPlug(address: string): Promise<void> {
  process.kill((await initAt(address)).pid, "SIGKILL");
}
