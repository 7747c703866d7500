import { parseNetwork } from "../../machines/addresses.ts";
import type { IngressPermission } from "../../machines/driver.ts";
import { ServiceError, serviceError } from "../service.ts";
import { invalidValue, notFound } from "./errors.ts";
import { type Input, integer, objectList, requiredText, text } from "./input.ts";
import type { Ec2State, GroupRecord, IngressRuleRecord } from "./state.ts";

const portMax = 65_535;
const protocols: Readonly<Record<string, string>> = {
  tcp: "tcp",
  "6": "tcp",
  udp: "udp",
  "17": "udp",
  icmp: "icmp",
  "1": "icmp",
  "-1": "-1",
  all: "-1",
};

/** The rules of a call: from `IpPermissions`, or from the short form with one range. */
export function rulesOf(state: Ec2State, input: Input, group: GroupRecord): IngressRuleRecord[] {
  const permissions = objectList(input, "IpPermissions");
  if (permissions.length > 0) {
    return permissions.flatMap((permission) => permissionRules(state, permission, group));
  }
  const cidr = text(input, "CidrIp");
  if (cidr === null) {
    throw new ServiceError("MissingParameter", "The request must contain the parameter IpPermissions");
  }
  return [{ ...portsOf(input), source: { cidr: checkedCidr(cidr) }, description: null }];
}

function permissionRules(state: Ec2State, permission: Input, group: GroupRecord): IngressRuleRecord[] {
  const ports = portsOf(permission);
  const ranges = objectList(permission, "IpRanges").map((range) => ({
    ...ports,
    source: { cidr: checkedCidr(requiredText(range, "CidrIp")) },
    description: text(range, "Description"),
  }));
  const pairs = objectList(permission, "Groups").map((pair) => ({
    ...ports,
    source: { groupId: sourceGroup(state, pair, group) },
    description: text(pair, "Description"),
  }));
  if (permission["Ipv6Ranges"] !== undefined || permission["PrefixListIds"] !== undefined) {
    throw new ServiceError("InvalidParameterValue", "Only IPv4 ranges and groups are supported here.");
  }
  if (ranges.length + pairs.length === 0) throw invalidValue("IpPermissions", "a permission without source");
  return [...ranges, ...pairs];
}

function portsOf(input: Input): Pick<IngressRuleRecord, "protocol" | "fromPort" | "toPort"> {
  const given = requiredText(input, "IpProtocol").toLowerCase();
  const protocol = protocols[given];
  if (protocol === undefined) throw invalidValue("IpProtocol", given);
  if (protocol === "-1") return { protocol, fromPort: -1, toPort: -1 };
  const range = { min: protocol === "icmp" ? -1 : 0, max: portMax };
  const fromPort = integer(input, "FromPort", range);
  const toPort = integer(input, "ToPort", range);
  if (fromPort === null || toPort === null) {
    throw new ServiceError("MissingParameter", "The request must contain the parameters FromPort and ToPort");
  }
  if (protocol !== "icmp" && fromPort > toPort) throw invalidValue("FromPort", String(fromPort));
  return { protocol, fromPort, toPort };
}

function sourceGroup(state: Ec2State, pair: Input, group: GroupRecord): string {
  const groupId = text(pair, "GroupId");
  if (groupId === null) {
    const name = requiredText(pair, "GroupName");
    const found = state.groups.list().find((one) => one.groupName === name && one.vpcId === group.vpcId);
    if (found === undefined) throw notFound("security-group", name);
    return found.groupId;
  }
  const found = state.groups.get(groupId);
  if (found === undefined) throw notFound("security-group", groupId);
  if (found.vpcId !== group.vpcId) {
    throw new ServiceError(
      "InvalidGroup.NotFound",
      "You have specified two resources that belong to different networks.",
    );
  }
  return groupId;
}

function checkedCidr(cidr: string): string {
  try {
    parseNetwork(cidr);
    return cidr;
  } catch (cause) {
    throw serviceError({ code: "InvalidParameterValue", message: `CIDR block ${cidr} is malformed`, cause });
  }
}

export function sameRule(a: IngressRuleRecord, b: IngressRuleRecord): boolean {
  return (
    a.protocol === b.protocol &&
    a.fromPort === b.fromPort &&
    a.toPort === b.toPort &&
    JSON.stringify(a.source) === JSON.stringify(b.source)
  );
}

/** Rules of equal protocol and ports become one permission, as EC2 shows them. */
export function renderPermissions(
  rules: readonly IngressRuleRecord[],
  owner: string,
): Record<string, unknown>[] {
  const byPorts = Map.groupBy(rules, (rule) => `${rule.protocol}/${rule.fromPort}/${rule.toPort}`);
  return [...byPorts.values()].map((members) => {
    const [first] = members;
    const ports =
      first === undefined || first.protocol === "-1"
        ? {}
        : { fromPort: first.fromPort, toPort: first.toPort };
    return {
      ipProtocol: first?.protocol,
      ...ports,
      ipRanges: members.flatMap((rule) =>
        "cidr" in rule.source ? [{ cidrIp: rule.source.cidr, ...described(rule) }] : [],
      ),
      groups: members.flatMap((rule) =>
        "groupId" in rule.source ? [{ groupId: rule.source.groupId, userId: owner, ...described(rule) }] : [],
      ),
      ipv6Ranges: [],
      prefixListIds: [],
    };
  });
}

function described(rule: IngressRuleRecord): { description?: string } {
  return rule.description === null ? {} : { description: rule.description };
}

/** What a machine lets in whose interface is in these groups: groups as sources are their interfaces' addresses. */
export function machinePermissions(state: Ec2State, groupIds: readonly string[]): IngressPermission[] {
  const interfaces = state.interfaces.list();
  return groupIds
    .flatMap((groupId) => state.groups.get(groupId)?.ingress ?? [])
    .filter((rule) => rule.protocol !== "icmp")
    .map((rule) => {
      const { source } = rule;
      const cidrs =
        "cidr" in source
          ? [source.cidr]
          : interfaces.filter((one) => one.groupIds.includes(source.groupId)).map((one) => one.address);
      return {
        protocol: machineProtocol(rule.protocol),
        fromPort: rule.fromPort,
        toPort: rule.toPort,
        cidrs,
      };
    });
}

function machineProtocol(protocol: string): IngressPermission["protocol"] {
  return protocol === "tcp" || protocol === "udp" ? protocol : "all";
}
