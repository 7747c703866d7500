import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { drillChecksSchema } from "../../domain/backup/drill.ts";
import { drillTablesSchema } from "../../domain/backup/tables.ts";
import { drillUnit, nodePaths } from "../../domain/config/index.ts";
import { operationIdSchema } from "../../domain/ids.ts";
import type { DrillStanding } from "../../domain/node/drill-verbs.ts";
import { NodeFailure } from "../failure.ts";
import { readIfPresent, writeJson } from "../files.ts";
import { background, lastWords, outcomeOf, ownProgram, startUnit } from "../transient-unit.ts";
import { checkRestored } from "./checks.ts";

/** Looking at restored data takes as long as reading it, so a unit of its own does it, and says here what it found. */
const directory = join(nodePaths.backup, "drill");
const path = (operationId: string, name: string): string => join(directory, `${operationId}.${name}.json`);

const orderSchema = z.strictObject({ database: z.string(), tables: drillTablesSchema });
type Order = z.infer<typeof orderSchema>;

/** Of Node.js itself, which only waits. */
const heapMiB = 128;

export async function beginChecks(operationId: string, order: Order): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  for (const name of await readdir(directory)) {
    if (name.startsWith(operationId)) await rm(join(directory, name), { force: true });
  }
  await writeJson(path(operationId, "order"), order);
  const properties = [
    ...background,
    "SyslogIdentifier=pgherd-drill",
    `ReadWritePaths=${nodePaths.backup} ${nodePaths.postgresParent}`,
  ];
  await startUnit(drillUnit(operationId), properties, ownProgram(heapMiB, "drill", operationId));
}

/** What the unit runs. */
export async function runChecks(argument: string | undefined): Promise<void> {
  const operationId = operationIdSchema.parse(argument);
  const text = await readIfPresent(path(operationId, "order"));
  if (text === null) throw new NodeFailure("nobody said what is to be looked at", { code: "no-order" });
  const { database, tables } = orderSchema.parse(JSON.parse(text));
  await writeJson(path(operationId, "checks"), await checkRestored(database, tables));
}

/** What was found is asked for after the unit: what ends in between is there by then. */
export async function checksStanding(operationId: string): Promise<DrillStanding> {
  const unit = drillUnit(operationId);
  const outcome = await outcomeOf(unit);
  const text = await readIfPresent(path(operationId, "checks"));
  const open = { message: null, checks: null };
  if (text !== null) return { ...open, state: "done", checks: drillChecksSchema.parse(JSON.parse(text)) };
  if (outcome === "running") return { ...open, state: "running" };
  if (outcome !== "failed") return { ...open, state: "absent" };
  return { ...open, state: "failed", message: await lastWords(unit) };
}
