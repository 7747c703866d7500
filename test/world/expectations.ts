import { expect } from "vitest";
import type { Operation } from "../../layers/domain/index.ts";
import type { Cloud } from "./cloud.ts";

/** How many of each kind of thing the endpoints list. */
export async function inventory(cloud: Cloud): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const one of await cloud.leftovers()) {
    const kind = one.split(" ")[0] ?? "";
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

/** A cluster of so many nodes and nothing beside it: six passwords, a CA key and the pass of its backups, four schedules, a role with its profile, a name, nodes and a certificate. */
export function inventoryOf(members: number): Record<string, number> {
  return {
    instance: members,
    interface: members,
    volume: members,
    group: 1,
    parameter: 8,
    schedule: 4,
    role: 1,
    "instance-profile": 1,
    item: members + 2,
  };
}

/** The operation failed or was cancelled, says why, and no step of it is left open. */
export function expectUnwound(
  operation: Operation,
  says: { state: "failed" | "cancelled"; message: RegExp },
): void {
  expect(operation).toMatchObject({
    state: says.state,
    error: { message: expect.stringMatching(says.message) },
  });
  expect(operation.error?.message).toContain("Everything that it had made was removed.");
  expect(operation.endedAt).not.toBeNull();
  const open = operation.steps.filter((step) =>
    ["pending", "running", "undoing", "undo-failed"].includes(step.state),
  );
  expect(open).toEqual([]);
}
