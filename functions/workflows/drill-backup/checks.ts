import { type DrillChecks, objectionIn } from "@pgherd/layers/domain";
import type { DrillStanding } from "@pgherd/layers/domain/node";
import { type ClusterScope, readNode } from "../create-cluster/records.ts";
import { once } from "../node-work.ts";
import { isSilence, runOn } from "../shards.ts";
import { isCancelled, stillAtWork } from "../still-at-work.ts";
import type { CheckDeadlines } from "./deadlines.ts";
import { readCourse, writeCourse } from "./records.ts";
import { drillOf, inThrowAway } from "./throw-away.ts";

/** What the step is called. */
export const checksStep = "checks";

class DrillError extends Error {
  readonly code = "drill-failed";
}

/** The node reads everything, which takes as long as it takes; whoever asks again hears how far it is. */
export async function check(scope: ClusterScope, deadlines: CheckDeadlines): Promise<string> {
  const known = (await readCourse(scope)).checks;
  const checks = known ?? (await checked(scope, deadlines));
  if (checks === null) return "It is cancelled.";
  if (known === null) await writeCourse(scope, { checks });
  const objection = objectionIn(checks);
  if (objection !== null) throw new DrillError(`the restored data is not what it should be: ${objection}`);
  return [checks.amcheck, checks.checksums].map(({ detail }) => detail).join(" ") + rowsIn(checks);
}

const rowsIn = ({ tables }: DrillChecks): string =>
  tables.map(({ rows, table }) => ` ${table} has ${rows} rows.`).join("");

const looking = "The node looks at the data.";

/** Null: somebody has cancelled the drill. */
async function checked(
  scope: ClusterScope,
  { lookMs, shortSeconds, sliceMs }: CheckDeadlines,
): Promise<DrillChecks | null> {
  const deadline = Date.now() + sliceMs;
  for (;;) {
    if (await isCancelled(scope)) return null;
    const { checks, message, state } = await look(scope, shortSeconds);
    if (checks !== null) return checks;
    if (state === "failed")
      throw new DrillError(`the data could not be looked at: ${message ?? "no reason"}`);
    if (Date.now() > deadline) throw await stillAtWork(scope, checksStep, looking);
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}

/** Begins it where the node is not at it, as after a restart of the machine. */
async function look(scope: ClusterScope, seconds: number): Promise<DrillStanding> {
  const { database, tables, throwAway } = drillOf(scope);
  const own = inThrowAway(scope);
  const { node } = await readNode(own, throwAway.nodeId);
  const { clusterId, nodeId } = throwAway;
  const { operationId } = scope;
  try {
    const input = { clusterId, nodeId, operationId, database, tables };
    return await runOn(own, node, "check-restored", once("check"), seconds, input);
  } catch (error) {
    if (!isSilence(error)) throw error;
    throw await stillAtWork(scope, checksStep, "The node does not answer.");
  }
}
