import { createHash } from "node:crypto";
import type { NodeIntent } from "../domain/node/protocol.ts";

/** Everything of an intent that tells one configuration of a node from another. */
export type Configuration = Omit<
  NodeIntent,
  "revision" | "nodeCertificate" | "authorityCertificate" | "dcsState" | "restore"
>;

/** The same configuration has the same revision, in whatever order its parts were put together. */
export function revisionOf(configuration: Configuration): string {
  return createHash("sha256")
    .update(JSON.stringify(sorted(configuration)))
    .digest("hex");
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([left], [right]) => (left < right ? -1 : 1))
      .map(([key, part]) => [key, sorted(part)]),
  );
}
