import { findInstanceType } from "../cluster/instance-types.ts";
import type { ClusterSpec } from "../cluster/spec.ts";
import { preloadsOf } from "./extensions.ts";
import { sharedParameters } from "./parameter-rules.ts";
import { checkParameter } from "./parameters.ts";
import { type MachineSize, tuneMember, tuneShared } from "./tuning.ts";

/** Every database is observed with these, whether it asks for them or not. */
const alwaysPreloaded = ["pg_stat_statements"];

export interface SettledParameters {
  /** In the DCS, the same for every member. */
  readonly shared: Readonly<Record<string, string>>;
  /** In the member's own configuration. */
  readonly member: Readonly<Record<string, string>>;
}

function machineSize(spec: ClusterSpec): MachineSize {
  const type = findInstanceType(spec.instanceType);
  if (type === undefined) throw new Error(`instance type ${spec.instanceType} is not in the catalogue`);
  return { memoryMiB: type.memoryMiB, vcpus: type.vcpus, storageGiB: spec.storage.sizeGiB };
}

/** Libraries in the order in which PostgreSQL loads them, each once. */
function preloads(spec: ClusterSpec, asked: string): string {
  const names = asked
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "");
  return [...new Set([...alwaysPreloaded, ...preloadsOf(spec.extensions), ...names])].join(",");
}

/** What the spec asks for, over what the machine's size suggests. The spec has passed checkSpec. */
export function settleParameters(spec: ClusterSpec): SettledParameters {
  const size = machineSize(spec);
  const shared = tuneShared(size);
  const asked: Record<string, string> = {};
  for (const [name, value] of Object.entries(spec.parameters)) {
    const checked = checkParameter(name, value);
    if (!checked.ok) throw new Error(`parameter ${name} did not pass the check: ${checked.message}`);
    const target = checked.parameter.name in sharedParameters ? shared : asked;
    target[checked.parameter.name] = checked.text;
  }
  const member = { ...tuneMember(size, Number(shared["max_connections"])), ...asked };
  member["shared_preload_libraries"] = preloads(spec, asked["shared_preload_libraries"] ?? "");
  return { shared, member };
}
