import { rm, writeFile } from "node:fs/promises";
import { z } from "zod";
import { factsOf, loadSchema } from "../../domain/backup/logical.ts";
import { logicalPrefix } from "../../domain/backup/manifest.ts";
import { backupTakingUnit, loadUnit, nodePaths } from "../../domain/config/index.ts";
import { backupIdSchema, operationIdSchema } from "../../domain/ids.ts";
import type { LoadStanding, LogicalStanding } from "../../domain/node/logical-verbs.ts";
import { repositorySchema } from "../../domain/node/repository.ts";
import type { NodeContext } from "../context.ts";
import { NodeFailure } from "../failure.ts";
import { readIfPresent } from "../files.ts";
import { readCipherPass } from "../passwords.ts";
import { background, lastWords, outcomeOf, ownProgram, startUnit, stopUnit } from "../transient-unit.ts";
import { inspectDatabase } from "./databases.ts";
import { forgetLoad, type LoadOrder, loadDatabase } from "./loading.ts";
import { readManifest, removeBelow } from "./manifest-store.ts";
import type { OwnPlace } from "./own-place.ts";
import { takeLogicalBackup } from "./taking.ts";
import { Workplace } from "./workplace.ts";

/** Of Node.js itself; what is on its way to S3 or from there is not in it. */
const heapMiB = 256;
/** It is told to end, and then ended: there is nothing that it has to put in order. */
const stopSeconds = 10;

/** Root, as every command is: its programs run as PostgreSQL's user. */
function properties(identifier: string): string[] {
  return [
    ...background,
    `SyslogIdentifier=${identifier}`,
    `TimeoutStopSec=${stopSeconds}`,
    `ReadWritePaths=${nodePaths.backup} ${nodePaths.data}`,
    // Where AWS is, on machines that do not learn it from instance metadata.
    "EnvironmentFile=-/etc/pgherd/aws.env",
    "Environment=AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED=true",
  ];
}

const program = (...args: string[]): string[] => ownProgram(heapMiB, ...args);

const orderSchema = z.strictObject({
  operationId: operationIdSchema,
  load: loadSchema,
  repository: repositorySchema,
});

export async function beginDump(backupId: string): Promise<void> {
  const after = `ExecStopPost=-${program("dump-end").join(" ")}`;
  await startUnit(backupTakingUnit(backupId), [...properties("pg_dump"), after], program("dump", backupId));
}

export async function beginLoad(order: LoadOrder): Promise<void> {
  const work = Workplace.ofLoad(order.operationId);
  await work.make();
  await writeFile(orderPath(order.operationId), JSON.stringify(order), { mode: 0o600 });
  await startUnit(loadUnit(order.operationId), properties("pg_restore"), program("load", order.operationId));
}

/** Beside the workplace, which the load makes anew. */
const orderPath = (operationId: string): string => `${Workplace.ofLoad(operationId).directory}.json`;

export async function runDump(backupId: string | undefined, context: NodeContext): Promise<void> {
  await takeLogicalBackup(backupIdSchema.parse(backupId), context);
}

export async function runLoad(operationId: string | undefined, context: NodeContext): Promise<void> {
  const text = await readIfPresent(orderPath(operationIdSchema.parse(operationId)));
  if (text === null) throw new NodeFailure("nobody said what is to be loaded", { code: "no-order" });
  await loadDatabase(orderSchema.parse(JSON.parse(text)), context);
}

const absent = { state: "absent", message: null, progress: null } as const;

/** The manifest is asked for after the unit: what ends in between is there by then. */
export async function dumpStanding(
  place: OwnPlace,
  { backupId }: { readonly backupId: string },
  context: NodeContext,
): Promise<LogicalStanding> {
  const unit = backupTakingUnit(backupId);
  const outcome = await outcomeOf(unit);
  const { failure, progress } = await Workplace.ofDump(backupId).said();
  if (outcome === "running") return { ...absent, state: "running", progress, backup: null };
  using objects = await context.openObjects(place.repository);
  const pass = await readCipherPass(context, place.intent);
  const stored = await readManifest(objects, logicalPrefix(place.repository, backupId), pass);
  if (stored !== null) return { ...absent, state: "done", backup: factsOf(stored.manifest) };
  if (outcome !== "failed") return { ...absent, backup: null };
  const message = failure?.message ?? (await lastWords(unit));
  return { ...absent, state: "failed", message, backup: null };
}

export async function endDump(
  place: OwnPlace,
  { backupId }: { readonly backupId: string },
  context: NodeContext,
): Promise<void> {
  await stopUnit(backupTakingUnit(backupId));
  await Workplace.ofDump(backupId).remove();
  const prefix = logicalPrefix(place.repository, backupId);
  using objects = await context.openObjects(place.repository);
  const pass = await readCipherPass(context, place.intent);
  if ((await readManifest(objects, prefix, pass)) === null) await removeBelow(objects, prefix);
}

/** A database that this operation has marked and that has something in it was loaded: there is never a part of it. */
export async function loadStanding(order: Omit<LoadOrder, "repository">): Promise<LoadStanding> {
  const unit = loadUnit(order.operationId);
  const outcome = await outcomeOf(unit);
  const { failure, progress } = await Workplace.ofLoad(order.operationId).said();
  const open = { ...absent, isFinal: false };
  if (outcome === "running") return { ...open, state: "running", progress };
  const { isEmpty, mark } = await inspectDatabase(order.load.name);
  if (mark === order.operationId && !isEmpty) return { ...open, state: "done" };
  if (outcome !== "failed") return open;
  const message = failure?.message ?? (await lastWords(unit));
  return { ...open, state: "failed", message, isFinal: failure?.isFinal ?? false };
}

export async function endLoad(order: Omit<LoadOrder, "repository">, isLeader: boolean): Promise<void> {
  await stopUnit(loadUnit(order.operationId));
  await Workplace.ofLoad(order.operationId).remove();
  await rm(orderPath(order.operationId), { force: true });
  if (isLeader) await forgetLoad(order);
}
