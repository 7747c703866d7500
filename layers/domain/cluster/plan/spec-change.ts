import { timersOf } from "../../backup/schedule.ts";
import { dynamicConfiguration } from "../../config/patroni.ts";
import { checkParameter, findParameter } from "../../postgres/parameters.ts";
import { settleParameters } from "../../postgres/spec-parameters.ts";
import { nodeSpec } from "../node-spec.ts";
import type { ClusterSpec } from "../spec.ts";
import type { PendingParameter } from "./observed.ts";

/** What a change of the spec means for a cluster that is what the old one says. */

const isSame = (left: unknown, right: unknown): boolean => JSON.stringify(left) === JSON.stringify(right);

/** Nothing that a node is told differs. */
export function isForNoNode(before: ClusterSpec, after: ClusterSpec): boolean {
  return isSame(sorted(nodeSpec(before, "")), sorted(nodeSpec(after, "")));
}

/** Backups are taken and proven at the same times. */
export function hasSameSchedules(before: ClusterSpec, after: ClusterSpec): boolean {
  return isSame(sorted(timersOf(before.backup)), sorted(timersOf(after.backup)));
}

/** The same may connect, to the same ports. */
export function hasSameClients(before: ClusterSpec, after: ClusterSpec): boolean {
  const clients = ({ access, pooler }: ClusterSpec) => ({
    cidrs: [...new Set(access.cidrs)].toSorted(),
    securityGroupIds: [...new Set(access.securityGroupIds)].toSorted(),
    isPooled: pooler.enabled,
  });
  return isSame(clients(before), clients(after));
}

/** Nothing differs that takes more than writing it down, schedules aside: no node has to answer for those. */
export function isForTheRecord(before: ClusterSpec, after: ClusterSpec): boolean {
  return (
    before.instanceType === after.instanceType && hasSameClients(before, after) && isForNoNode(before, after)
  );
}

/** Nothing differs at all. */
export function isSameSpec(before: ClusterSpec, after: ClusterSpec): boolean {
  return isSame(sorted(before), sorted(after));
}

export function isDynamicConfigurationSame(before: ClusterSpec, after: ClusterSpec): boolean {
  return isSame(sorted(dynamicConfiguration(before)), sorted(dynamicConfiguration(after)));
}

/** Parameters that PostgreSQL takes up only when it is restarted. */
export function restartParameters(before: ClusterSpec, after: ClusterSpec): PendingParameter[] {
  const [old, now] = [flat(before), flat(after)];
  const names = [...new Set([...Object.keys(old), ...Object.keys(now)])];
  return names
    .filter((name) => old[name] !== now[name] && findParameter(name)?.context === "postmaster")
    .map((name) => ({ name, from: numberOf(name, old[name]), to: numberOf(name, now[name]) }));
}

function flat(spec: ClusterSpec): Readonly<Record<string, string>> {
  const { shared, member } = settleParameters(spec);
  return { ...shared, ...member };
}

function numberOf(name: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const checked = checkParameter(name, text);
  return checked.ok ? checked.number : null;
}

/** With the keys of every object in order: two specs that say the same are written the same. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(entries.toSorted().map(([key, inner]) => [key, sorted(inner)]));
}
