import type { NodeCommands, RestoredFrom } from "@pgherd/layers/domain/node";
import type { ClusterScope } from "../create-cluster/records.ts";
import { runOn } from "../shards.ts";
import { hear, isCancelled, stillAtWork } from "../still-at-work.ts";
import { restoredNode, writeCourse } from "./course.ts";
import type { InPlaceDeadlines } from "./deadlines.ts";

/** PostgreSQL's own words where it has replayed all there is and the target was not among it. */
const notReached = /recovery ended before configured recovery target was reached/;

class RestoreFailedError extends Error {
  readonly code: string;

  constructor(message: string) {
    super(message);
    this.code = notReached.test(message) ? "target-not-reached" : "restore-failed";
  }
}

const words = {
  copying: "The backup is copied.",
  recovering: "WAL is replayed.",
} as const;

/** Until the data is there, or the time of one step is over. @throws where it does not get there */
export async function awaitRestored(
  scope: ClusterScope,
  from: RestoredFrom,
  step: string,
  deadlines: InPlaceDeadlines,
): Promise<string> {
  const node = await restoredNode(scope);
  const { operationId, clusterId } = scope;
  const input = {
    clusterId,
    nodeId: node.id,
    operationId,
    from,
  } satisfies NodeCommands["restore-data"]["input"];
  const end = Date.now() + deadlines.sliceMs;
  for (;;) {
    const { message, reached, state } = await runOn(
      scope,
      node,
      "restore-data",
      "restore",
      deadlines.lookSeconds,
      input,
    );
    if (state === "failed") throw new RestoreFailedError(message ?? "it gave no reason");
    if (state === "done") {
      if (reached === null) throw new RestoreFailedError("PostgreSQL has begun no timeline of its own");
      await writeCourse(scope, { reached });
      return `PostgreSQL has come to its target, and goes on on timeline ${reached.timeline}.`;
    }
    await hear(scope, step, words[state]);
    if (await isCancelled(scope)) return "It is cancelled.";
    if (Date.now() > end) throw await stillAtWork(scope, step, words[state]);
    await new Promise((resolve) => setTimeout(resolve, deadlines.lookMs));
  }
}
