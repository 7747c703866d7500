import type { IngressPermission } from "./driver.ts";

/**
 * The firewall of one machine, as one nft transaction for its network namespace: a security group's rules are
 * kept in the machine's own network, where nothing of the host can get around them.
 */
export function ingressRules(permissions: readonly IngressPermission[]): string {
  const rules = new Set(permissions.flatMap(rulesOf));
  return [
    // Adding before deleting makes the deletion work the first time as well; it is one transaction.
    "add table inet pgherd",
    "delete table inet pgherd",
    "table inet pgherd {",
    "  chain input {",
    "    type filter hook input priority filter; policy drop;",
    "    ct state established,related accept",
    '    iifname "lo" accept',
    "    meta l4proto { icmp, ipv6-icmp } accept",
    ...[...rules].map((rule) => `    ${rule}`),
    "  }",
    "}",
    "",
  ].join("\n");
}

function rulesOf(permission: IngressPermission): string[] {
  return permission.cidrs.map((cidr) => {
    const source = `ip saddr ${checkedCidr(cidr)}`;
    if (permission.protocol === "all") return `${source} accept`;
    const ports = `${checkedPort(permission.fromPort)}-${checkedPort(permission.toPort)}`;
    return `${source} ${permission.protocol} dport ${ports} accept`;
  });
}

/** The text becomes part of a program for nft, so nothing but an address may be in it. */
function checkedCidr(cidr: string): string {
  if (!/^\d{1,3}(\.\d{1,3}){3}(\/\d{1,2})?$/.test(cidr)) throw new Error(`${cidr} is not an IPv4 range`);
  return cidr;
}

function checkedPort(port: number): number {
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error(`${port} is not a port`);
  return port;
}
