import { checkParameters } from "../postgres/check-parameters.ts";
import { checkExtension } from "../postgres/extensions.ts";
import type { FieldError } from "../problems.ts";
import { findInstanceType, instanceTypeSummary } from "./instance-types.ts";
import { networkOf } from "./network.ts";
import { type ClusterSpec, clientSourcesMax, proxyDefault } from "./spec.ts";

/** What the schema cannot say: rules that need a catalogue or more than one field. */
export interface SpecCheck {
  /** The spec cannot be carried out. */
  readonly errors: readonly FieldError[];
  /** It can, and the user should know this. */
  readonly warnings: readonly string[];
}

const reservedDatabases = ["postgres", "template0", "template1"];

function checkMembers(spec: ClusterSpec): FieldError[] {
  const errors: FieldError[] = [];
  if (spec.dcs.placement === "colocated" && spec.dcs.members > spec.members) {
    errors.push({
      path: "/dcs/members",
      message: `etcd runs on the cluster's own nodes: ${spec.dcs.members} DCS members need at least as many members, and members is ${spec.members}; lower dcs.members, or set dcs.placement to dedicated`,
    });
  }
  if (spec.durability === "strict" && spec.members < 2) {
    errors.push({
      path: "/durability",
      message: "strict waits for a standby on every commit: it needs at least 2 members (sync does not)",
    });
  }
  return errors;
}

function checkNames(spec: ClusterSpec): FieldError[] {
  const errors: FieldError[] = [];
  if (reservedDatabases.includes(spec.database) || spec.database.startsWith("pg_")) {
    errors.push({
      path: "/database",
      message: `"${spec.database}" is a name of PostgreSQL's own; choose one that is none of ${reservedDatabases.join(", ")} and does not begin with pg_`,
    });
  }
  // PgBouncer keeps this name for its own console.
  if (spec.database === "pgbouncer") {
    errors.push({ path: "/database", message: '"pgbouncer" is the name of the pooler\'s own console' });
  }
  return errors;
}

function checkInstanceTypes(spec: ClusterSpec): FieldError[] {
  const asked = [
    ["/instanceType", spec.instanceType],
    ["/dcs/instanceType", spec.dcs.instanceType],
    ["/proxy/instanceType", spec.proxy.instanceType],
  ] as const;
  return asked.flatMap(([path, type]) =>
    type === undefined || findInstanceType(type) !== undefined
      ? []
      : [
          {
            path,
            message: `"${type}" is not an instance type that nodes can have; there are ${instanceTypeSummary}`,
          },
        ],
  );
}

/** What is said of nodes that the cluster does not have would be accepted and ignored. */
function checkPlacements(spec: ClusterSpec): FieldError[] {
  const errors: FieldError[] = [];
  const nowhere = (path: string, placement: string): FieldError => ({
    path,
    message: `is for nodes of their own: set ${placement} to "dedicated", or leave this out (null in a patch)`,
  });
  if (spec.dcs.placement === "colocated" && spec.dcs.instanceType !== undefined) {
    errors.push(nowhere("/dcs/instanceType", "dcs.placement"));
  }
  if (spec.proxy.placement === "colocated") {
    if (spec.proxy.instanceType !== undefined) errors.push(nowhere("/proxy/instanceType", "proxy.placement"));
    if (spec.proxy.count !== proxyDefault.count) errors.push(nowhere("/proxy/count", "proxy.placement"));
  }
  return errors;
}

/**
 * More rules than EC2 gives a security group would fail in the middle of an operation. Of a block EC2 keeps the network:
 * what it says of its rules would never be what the spec says.
 */
function checkAccess({ access: { cidrs, securityGroupIds } }: ClusterSpec): FieldError[] {
  const errors = cidrs.flatMap((cidr, index) => {
    const network = networkOf(cidr);
    if (cidr === network) return [];
    return [{ path: `/access/cidrs/${index}`, message: `${cidr} is not a network; it lies in ${network}` }];
  });
  const named = new Set([...cidrs, ...securityGroupIds]).size;
  if (named <= clientSourcesMax) return errors;
  return [
    ...errors,
    {
      path: "/access/securityGroupIds",
      message: `with cidrs must name at most ${clientSourcesMax} in all, not ${named}: EC2 limits the rules of a cluster's own security group`,
    },
  ];
}

/** Stock Patroni raises a `ttl` below 20 s to 20 s and says so in its log only. */
function checkFailover(spec: ClusterSpec): FieldError[] {
  if (spec.failover.profile !== "fast" || spec.failover.wrapper) return [];
  return [
    {
      path: "/failover/profile",
      message:
        "fast needs failover.wrapper: Patroni by itself raises its ttl to 20 s; choose standard, or leave wrapper true",
    },
  ];
}

function checkExtensions(spec: ClusterSpec): FieldError[] {
  return spec.extensions.flatMap((name, index) => {
    const message = checkExtension(name);
    return message === null ? [] : [{ path: `/extensions/${index}`, message }];
  });
}

function warn(spec: ClusterSpec): string[] {
  const warnings: string[] = [];
  if (spec.members === 1) {
    warnings.push("One member has no standby: when its node is lost, so is the service until it is back.");
  } else if (spec.dcs.members === 1) {
    warnings.push("The DCS has one member: while its node is away, nothing fails over.");
  }
  if (spec.members === 1 && (spec.durability === "sync" || spec.durability === "quorum")) {
    warnings.push(`durability ${spec.durability} has no standby to wait for while there is one member.`);
  }
  if (spec.members === 2 && spec.durability === "strict") {
    warnings.push("With two members and durability strict, writes wait whenever one of the two is away.");
  }
  return warnings;
}

/** Checks a complete spec. Paths are JSON pointers into the body. */
export function checkSpec(spec: ClusterSpec): SpecCheck {
  const parameters = checkParameters(spec);
  return {
    errors: [
      ...checkMembers(spec),
      ...checkNames(spec),
      ...checkInstanceTypes(spec),
      ...checkPlacements(spec),
      ...checkAccess(spec),
      ...checkFailover(spec),
      ...checkExtensions(spec),
      ...parameters.errors,
    ],
    warnings: [...warn(spec), ...parameters.warnings],
  };
}
