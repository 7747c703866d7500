import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { gatewayAddress, macAddressOf, parseNetwork } from "./addresses.ts";
import type { IngressPermission, MachineInterface } from "./driver.ts";
import { ingressRules } from "./ingress.ts";
import { runProgram } from "./program.ts";

/** The network of one environment. The bridge's name is unique on the host and names everything else of it. */
export interface NetworkSettings {
  /** At most 15 characters, as every interface of Linux. */
  readonly bridge: string;
  /** The environment's addresses; the first is the bridge's. */
  readonly cidr: string;
}

/** Where instance metadata is, as seen from a machine. */
const metadataAddress = "169.254.169.254";
const namespaces = "/run/netns";
const interfaces = "/sys/class/net";

/** Makes the bridge, or brings it back to what it should be. */
export async function ensureNetwork(settings: NetworkSettings): Promise<void> {
  const { bridge, cidr } = checked(settings);
  const { prefixLength } = parseNetwork(cidr);
  if (!existsSync(join(interfaces, bridge))) {
    await runProgram("ip", ["link", "add", "name", bridge, "type", "bridge", "mcast_snooping", "0"]);
  }
  await runProgram("ip", ["-batch", "-"], {
    stdin: [
      // Without an address of its own a bridge takes over that of a port, and machines lose their gateway.
      `link set dev ${bridge} address ${macAddressOf(bridge)} addrgenmode none up`,
      `address replace ${gatewayAddress(cidr)}/${prefixLength} dev ${bridge}`,
      "",
    ].join("\n"),
  });
}

/**
 * Leads what machines send to AWS's own addresses and ports to ours on the bridge: instance metadata at its link-local
 * address, and HTTPS to the bridge itself, which machines take for S3. A port of ours needs nobody else's leave: another
 * server of this machine may listen on 443.
 */
export async function redirectServices(
  settings: NetworkSettings,
  ports: { readonly metadata: number; readonly objects: number },
): Promise<void> {
  const { bridge, cidr } = checked(settings);
  const gateway = gatewayAddress(cidr);
  const rules = [
    `add table ip ${bridge}`,
    `delete table ip ${bridge}`,
    `table ip ${bridge} {`,
    "  chain prerouting {",
    "    type nat hook prerouting priority dstnat; policy accept;",
    `    iifname "${bridge}" ip daddr ${metadataAddress} tcp dport 80 dnat to ${gateway}:${Number(ports.metadata)}`,
    `    iifname "${bridge}" ip daddr ${gateway} tcp dport 443 dnat to ${gateway}:${Number(ports.objects)}`,
    "  }",
    "}",
    "",
  ];
  await runProgram("nft", ["-f", "-"], { stdin: rules.join("\n") });
}

/** Removes the bridge, every port, namespace and rule of the environment; what is gone already is no error. */
export async function removeNetwork(settings: Pick<NetworkSettings, "bridge">): Promise<void> {
  const { bridge } = settings;
  for (const namespace of await environmentNamespaces(bridge)) await removeNamespace(namespace);
  if (existsSync(join(interfaces, bridge))) {
    for (const port of await readdir(join(interfaces, bridge, "brif"))) await removeLink(port);
    await removeLink(bridge);
  }
  // Adding first makes removing what is not there no error.
  await runProgram("nft", ["-f", "-"], { stdin: `add table ip ${bridge}\ndelete table ip ${bridge}\n` });
}

function namespaceOf(bridge: string, instanceId: string): string {
  return `${bridge}-${instanceId}`;
}

export function namespacePath(bridge: string, instanceId: string): string {
  return join(namespaces, namespaceOf(bridge, instanceId));
}

export async function environmentNamespaces(bridge: string): Promise<string[]> {
  if (!existsSync(namespaces)) return [];
  return (await readdir(namespaces)).filter((name) => name.startsWith(`${bridge}-`));
}

/** The host's end of a machine's link: names have 15 characters at most, an interface's id is random throughout. */
export function portOf(networkInterfaceId: string): string {
  return `v${networkInterfaceId.replace(/^eni-/, "").slice(0, 14)}`;
}

/** A fresh namespace with the machine's interface on the bridge, and the firewall shut before the link is up. */
export async function createMachineNetwork(
  settings: NetworkSettings,
  instanceId: string,
  machine: MachineInterface,
  permissions: readonly IngressPermission[],
): Promise<void> {
  const { bridge, cidr } = checked(settings);
  const { prefixLength } = parseNetwork(cidr);
  const namespace = namespaceOf(bridge, instanceId);
  const port = portOf(machine.networkInterfaceId);
  await removeMachineNetwork(settings, instanceId, machine);
  await runProgram("ip", ["netns", "add", namespace]);
  await setIngress(bridge, instanceId, permissions);
  await runProgram("ip", ["-batch", "-"], {
    stdin: [
      `link add dev ${port} master ${bridge} type veth peer name eth0 address ${machine.macAddress} netns ${namespace}`,
      `link set dev ${port} addrgenmode none alias ${machine.zone}/${machine.networkInterfaceId} up`,
      "",
    ].join("\n"),
  });
  await runProgram("ip", ["-netns", namespace, "-batch", "-"], {
    stdin: [
      "link set dev lo up",
      "link set dev eth0 addrgenmode none up",
      `address add ${machine.address}/${prefixLength} dev eth0`,
      `route add default via ${gatewayAddress(cidr)}`,
      "",
    ].join("\n"),
  });
}

/** The link goes first: a machine that is off answers nothing, not even a reset. */
export async function removeMachineNetwork(
  settings: Pick<NetworkSettings, "bridge">,
  instanceId: string,
  machine: Pick<MachineInterface, "networkInterfaceId">,
): Promise<void> {
  await removeLink(portOf(machine.networkInterfaceId));
  const namespace = namespaceOf(settings.bridge, instanceId);
  if (existsSync(join(namespaces, namespace))) await removeNamespace(namespace);
}

/** One transaction: between the old rules and the new ones there is no moment without. */
export async function setIngress(
  bridge: string,
  instanceId: string,
  permissions: readonly IngressPermission[],
): Promise<void> {
  await runProgram("nsenter", [`--net=${namespacePath(bridge, instanceId)}`, "nft", "-f", "-"], {
    stdin: ingressRules(permissions),
  });
}

/** Cuts every machine of a zone off, or connects them again. */
export async function setZoneConnected(bridge: string, zone: string, connected: boolean): Promise<void> {
  const ports = await zonePorts(bridge, zone);
  const state = connected ? "up" : "down";
  await runProgram("ip", ["-batch", "-"], {
    stdin: ports.map((port) => `link set dev ${port} ${state}\n`).join(""),
  });
}

async function zonePorts(bridge: string, zone: string): Promise<string[]> {
  const listed = await runProgram("ip", ["-json", "link", "show", "master", bridge]);
  const links = JSON.parse(listed) as { ifname: string; ifalias?: string }[];
  return links.filter((link) => link.ifalias?.startsWith(`${zone}/`)).map((link) => link.ifname);
}

async function removeLink(name: string): Promise<void> {
  if (!existsSync(join(interfaces, name))) return;
  try {
    await runProgram("ip", ["link", "delete", "dev", name]);
  } catch (error) {
    // A link goes by itself when its namespace does, which may have been meanwhile.
    if (existsSync(join(interfaces, name))) throw error;
  }
}

async function removeNamespace(name: string): Promise<void> {
  try {
    await runProgram("ip", ["netns", "delete", name]);
  } catch (error) {
    if (existsSync(join(namespaces, name))) throw error;
  }
}

/** Names and addresses become lines of a batch, so that they are looked at first. */
function checked(settings: NetworkSettings): NetworkSettings {
  if (!/^[a-z][a-z0-9-]{0,14}$/.test(settings.bridge)) {
    throw new Error(
      `${settings.bridge} cannot be a bridge's name: 1 to 15 lower-case letters, digits, hyphens`,
    );
  }
  parseNetwork(settings.cidr);
  return settings;
}
