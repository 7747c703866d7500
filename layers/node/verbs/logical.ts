import { logicalPrefix, manifestKey } from "../../domain/backup/manifest.ts";
import type { logicalVerbs } from "../../domain/node/logical-verbs.ts";
import type { VerbFunction } from "../context.ts";
import { withLock } from "../lock.ts";
import { inspectDatabase } from "../logical/databases.ts";
import { removeBelow } from "../logical/manifest-store.ts";
import { type OwnPlace, placeIn } from "../logical/own-place.ts";
import { beginDump, beginLoad, dumpStanding, endDump, endLoad, loadStanding } from "../logical/units.ts";
import { readOwnIntent } from "../own-intent.ts";
import { runSql } from "../psql.ts";
import { requireLeader } from "./apply-database.ts";

/** Two commands about the same thing, of an execution and of the one that takes its place. */
const sameWaitMs = 60_000;

/** A command for another node went to the wrong address. */
async function place(input: { readonly clusterId: string; readonly nodeId: string }): Promise<OwnPlace> {
  return placeIn(await readOwnIntent(input));
}

const takeLogicalBackup: VerbFunction<"take-logical-backup"> = async (input, context) => {
  const own = await place(input);
  return withLock(`take ${input.backupId}`, sameWaitMs, async () => {
    const standing = await dumpStanding(own, input, context);
    if (standing.state === "done" || standing.state === "running") return standing;
    await beginDump(input.backupId);
    return { state: "running", message: null, progress: null, backup: null };
  });
};

const deleteLogicalBackup: VerbFunction<"delete-logical-backup"> = async (input, context) => {
  const { repository } = await place(input);
  const prefix = logicalPrefix(repository, input.backupId);
  using objects = await context.openObjects(repository);
  // From here on there is no backup any more, whatever happens to the rest.
  await objects.remove([manifestKey(prefix)]);
  await removeBelow(objects, prefix);
  return {};
};

const loadDatabase: VerbFunction<"load-database"> = async (input) => {
  await place(input);
  await requireLeader();
  const { load, operationId, repository } = input;
  return withLock(`load ${operationId}`, sameWaitMs, async () => {
    const standing = await loadStanding({ load, operationId });
    if (standing.state === "done" || standing.state === "running") return standing;
    await beginLoad({ load, operationId, repository });
    return { state: "running", message: null, isFinal: false, progress: null };
  });
};

async function leads(): Promise<boolean> {
  const [inRecovery] = await runSql("postgres", "SELECT pg_catalog.pg_is_in_recovery();");
  return inRecovery === "f";
}

export const logical: { readonly [V in keyof typeof logicalVerbs]: VerbFunction<V> } = {
  "take-logical-backup": takeLogicalBackup,
  "logical-backup-standing": async (input, context) => dumpStanding(await place(input), input, context),
  "stop-logical-backup": async (input, context) => {
    await endDump(await place(input), input, context);
    return {};
  },
  "delete-logical-backup": deleteLogicalBackup,
  "inspect-database": async (input) => {
    await place(input);
    await requireLeader();
    const { exists, isEmpty } = await inspectDatabase(input.name);
    return { exists, isEmpty };
  },
  "load-database": loadDatabase,
  "load-standing": async ({ load, operationId, ...input }) => {
    await place(input);
    return loadStanding({ load, operationId });
  },
  "end-load": async ({ load, operationId, ...input }) => {
    await place(input);
    await endLoad({ load, operationId }, await leads());
    return {};
  },
};
