import { findInstanceType } from "../cluster/instance-types.ts";
import type { ClusterSpec } from "../cluster/spec.ts";
import type { FieldError } from "../problems.ts";
import { preloadsOf } from "./extensions.ts";
import { checkParameter, type Parameter } from "./parameters.ts";
import { sharedMemoryBytes } from "./shared-memory.ts";
import { tuneMember, tuneShared } from "./tuning.ts";

/** Parameters against each other and against the rest of the spec: values with which PostgreSQL would not start. */

/** More than this of a machine's memory for PostgreSQL's shared part leaves no room for the sessions. */
const sharedMemoryShareMax = 0.75;
/** PostgreSQL wants room for two WAL segments of 16 MB. */
const walSizeLeastMB = 32;
/** PostgreSQL keeps 512 kB of the 8 MB that systemd allows a process's stack. */
const stackDepthMostKB = 7680;
/** Below this no session of pgherd, Patroni or a pooler would get its work done. */
const timeoutLeastMs = 1000;
/** PostgreSQL keeps these caches in banks of 16 pages. */
const slruBanks = 16;

const mebi = 1024 ** 2;

const timeouts = ["statement_timeout", "transaction_timeout", "lock_timeout"];
const slruBuffers = [
  "commit_timestamp_buffers",
  "multixact_member_buffers",
  "multixact_offset_buffers",
  "notify_buffers",
  "serializable_buffers",
  "subtransaction_buffers",
  "transaction_buffers",
];

interface Asked {
  readonly path: string;
  readonly parameter: Parameter;
  readonly text: string;
  readonly number: number | null;
}

function pointer(name: string): string {
  return `/parameters/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/** Rules of PostgreSQL's own check hooks, which pg_settings does not tell. */
function checkAlone(asked: Asked, spec: ClusterSpec): string | null {
  const { parameter, number, text } = asked;
  const { name } = parameter;
  if (name === "huge_pages" && text === "on")
    return "PostgreSQL would not start without huge pages; try uses them where there are any";
  if ((name === "min_wal_size" || name === "max_wal_size") && number !== null && number < walSizeLeastMB) {
    return `must be at least ${walSizeLeastMB}MB: two WAL segments`;
  }
  if (name === "max_stack_depth" && number !== null && number > stackDepthMostKB) {
    return `must be at most ${stackDepthMostKB}kB: the stack of a process has 8 MB`;
  }
  if (timeouts.includes(name) && number !== null && number !== 0 && number < timeoutLeastMs) {
    return `must be 0 or at least ${timeoutLeastMs}ms for the whole cluster; set less for a role or a session`;
  }
  if (slruBuffers.includes(name) && number !== null && number % slruBanks !== 0) {
    return `must be a multiple of ${slruBanks} pages of 8 kB`;
  }
  if (name === "max_slot_wal_keep_size") return checkSlots(number ?? -1, spec);
  if (
    name === "synchronous_commit" &&
    spec.durability !== "async" &&
    !["on", "remote_apply"].includes(text)
  ) {
    return `"${text}" undoes durability ${spec.durability}: use on or remote_apply, or durability async`;
  }
  return null;
}

function checkSlots(mebibytes: number, spec: ClusterSpec): string | null {
  const most = (spec.storage.sizeGiB * 1024) / 2;
  if (mebibytes >= 0 && mebibytes <= most) return null;
  return `must be from 0 to ${most}MB (half of the volume): an unlimited slot fills it`;
}

function checkTogether(asked: ReadonlyMap<string, Asked>, spec: ClusterSpec): FieldError[] {
  const type = findInstanceType(spec.instanceType);
  if (type === undefined) return [];
  const size = { memoryMiB: type.memoryMiB, vcpus: type.vcpus, storageGiB: spec.storage.sizeGiB };
  const shared = tuneShared(size);
  const connections = asked.get("max_connections")?.number ?? Number(shared["max_connections"]);
  const numbers: Record<string, number> = {};
  for (const [name, text] of Object.entries({ ...shared, ...tuneMember(size, connections) })) {
    const checked = checkParameter(name, text);
    if (checked.ok && checked.number !== null) numbers[name] = checked.number;
  }
  for (const [name, { number }] of asked) if (number !== null) numbers[name] = number;
  return [
    ...checkConnections(asked, numbers),
    ...checkWalSizes(asked, numbers, spec),
    ...checkMemory(asked, numbers, type.memoryMiB, spec.instanceType),
  ];
}

function checkConnections(
  asked: ReadonlyMap<string, Asked>,
  numbers: Readonly<Record<string, number>>,
): FieldError[] {
  const reserved = (numbers["superuser_reserved_connections"] ?? 3) + (numbers["reserved_connections"] ?? 0);
  const connections = numbers["max_connections"] ?? 0;
  if (reserved < connections) return [];
  const culprit =
    asked.get("superuser_reserved_connections") ??
    asked.get("reserved_connections") ??
    asked.get("max_connections");
  const message = `${reserved} reserved connections leave none of max_connections (${connections})`;
  return [{ path: culprit?.path ?? "/parameters", message }];
}

function checkWalSizes(
  asked: ReadonlyMap<string, Asked>,
  numbers: Readonly<Record<string, number>>,
  spec: ClusterSpec,
): FieldError[] {
  const errors: FieldError[] = [];
  const half = (spec.storage.sizeGiB * 1024) / 2;
  for (const name of ["max_wal_size", "min_wal_size", "wal_keep_size"]) {
    const one = asked.get(name);
    if (one !== undefined && (numbers[name] ?? 0) > half) {
      errors.push({
        path: one.path,
        message: `${name}: ${one.text} is more than half of the volume (${half}MB)`,
      });
    }
  }
  return errors;
}

function checkMemory(
  asked: ReadonlyMap<string, Asked>,
  numbers: Readonly<Record<string, number>>,
  memoryMiB: number,
  instanceType: string,
): FieldError[] {
  const needed = Math.ceil(sharedMemoryBytes(numbers) / mebi);
  const most = Math.floor(memoryMiB * sharedMemoryShareMax);
  if (needed <= most) return [];
  const culprits = [...asked.values()].filter((one) => {
    const without = { ...numbers };
    delete without[one.parameter.name];
    return sharedMemoryBytes(without) < sharedMemoryBytes(numbers);
  });
  const message = `PostgreSQL would take about ${needed} MiB of shared memory, and ${instanceType} has ${most} MiB for it (three quarters of its ${memoryMiB} MiB)`;
  return culprits.map((one) => ({ path: one.path, message: `${one.parameter.name}: ${message}` }));
}

function warn(asked: ReadonlyMap<string, Asked>, spec: ClusterSpec): string[] {
  const warnings: string[] = [];
  for (const name of ["autovacuum", "track_counts"]) {
    if (asked.get(name)?.text === "off") {
      warnings.push(`${name} off stops autovacuum: tables bloat until transaction ids run out.`);
    }
  }
  const libraries = [
    asked.get("shared_preload_libraries")?.text,
    asked.get("session_preload_libraries")?.text,
  ];
  const loaded = ["pg_stat_statements", ...preloadsOf(spec.extensions), ...libraries.join(",").split(",")];
  for (const { parameter } of asked.values()) {
    const library = parameter.name.includes(".")
      ? parameter.name.slice(0, parameter.name.indexOf("."))
      : null;
    const bySession = ["hnsw", "ivfflat"];
    if (
      library !== null &&
      !bySession.includes(library) &&
      !loaded.map((name) => name.trim()).includes(library)
    ) {
      warnings.push(`${parameter.name} has no effect unless shared_preload_libraries names ${library}.`);
    }
  }
  return warnings;
}

/** Every parameter of the spec, alone and together. */
export function checkParameters(spec: ClusterSpec): { errors: FieldError[]; warnings: string[] } {
  const errors: FieldError[] = [];
  const asked = new Map<string, Asked>();
  for (const [name, value] of Object.entries(spec.parameters)) {
    const path = pointer(name);
    const checked = checkParameter(name, value);
    if (!checked.ok) {
      errors.push({ path, message: checked.message });
      continue;
    }
    const one = { path, parameter: checked.parameter, text: checked.text, number: checked.number };
    const twin = asked.get(checked.parameter.name);
    const wrong = checkAlone(one, spec);
    if (twin !== undefined) errors.push({ path, message: `${checked.parameter.name} is given twice` });
    else if (wrong !== null) errors.push({ path, message: `${checked.parameter.name}: ${wrong}` });
    asked.set(checked.parameter.name, one);
  }
  errors.push(...checkTogether(asked, spec));
  return { errors, warnings: warn(asked, spec) };
}
