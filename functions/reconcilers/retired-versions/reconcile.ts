import { type OperationKind, retiredVersions } from "@pgherd/layers/domain";
import type { Versions } from "@pgherd/layers/ports";
import { errorFields, type Log } from "@pgherd/layers/runtime";

export interface RetiredVersionsWorld {
  /** Each has a function of its own. */
  readonly kinds: readonly OperationKind[];
  readonly versions: Versions;
  readonly now: () => Date;
  readonly log: Log;
}

/** Of the time that a sweep has; what is left over is removed in the next one. */
const sweepMs = 60_000;

/**
 * Deployments leave versions behind, which count against what an account may store. One function that cannot be looked
 * through does not keep the others waiting; the sweep fails in the end, so that somebody hears of it.
 */
export async function removeRetiredVersions(world: RetiredVersionsWorld): Promise<void> {
  const endMs = world.now().getTime() + sweepMs;
  const failed: OperationKind[] = [];
  for (const kind of world.kinds) {
    if (world.now().getTime() >= endMs) break;
    try {
      await reconcile(world, kind, endMs);
    } catch (error) {
      world.log("error", "the versions of a function could not be looked through", {
        kind,
        ...errorFields(error),
      });
      failed.push(kind);
    }
  }
  if (failed.length > 0) throw new Error(`versions of ${failed.join(", ")} could not be looked through`);
}

async function reconcile(world: RetiredVersionsWorld, kind: OperationKind, endMs: number): Promise<void> {
  const { log, now, versions } = world;
  const retired = retiredVersions(await versions.list(kind), now().getTime());
  if (retired.length === 0) return;
  const running = await versions.running(kind);
  for (const version of retired.filter((one) => !running.includes(one))) {
    if (now().getTime() >= endMs) return;
    if (await versions.remove(kind, version)) log("info", "a retired version is removed", { kind, version });
  }
}
