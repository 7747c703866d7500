import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { initAt, onMachine, processesAt } from "./machines.ts";

const run = promisify(execFile);

/** The host's end of a machine's link: an interface of the machine names its peer by number. */
async function linkOf(address: string): Promise<string> {
  const peer = (await onMachine(address, ["cat", "/sys/class/net/eth0/iflink"])).trim();
  const { stdout } = await run("ip", ["-json", "link", "show"]);
  const links = JSON.parse(stdout) as { ifindex: number; ifname: string }[];
  const link = links.find(({ ifindex }) => ifindex === Number(peer));
  if (link === undefined) throw new Error(`no link of this host leads to ${address}`);
  return link.ifname;
}

/** Cuts machines off the network, and returns what connects them again. Nobody is told: packets are lost. */
export async function cutOff(addresses: readonly string[]): Promise<() => Promise<void>> {
  const links = await Promise.all(addresses.map(linkOf));
  await setLinks(links, "down");
  return () => setLinks(links, "up");
}

async function setLinks(links: readonly string[], state: "up" | "down"): Promise<void> {
  for (const link of links) await run("ip", ["link", "set", "dev", link, state]);
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

/** Pulls the plug and returns when the machine's last process is gone. */
export async function pullPlug(address: string): Promise<void> {
  process.kill((await initAt(address)).pid, "SIGKILL");
}
