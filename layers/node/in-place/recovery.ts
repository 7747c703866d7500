import { rm } from "node:fs/promises";
import { join } from "node:path";
import { inPlacePaths, nodePaths, recoveryUnit, renderRecovery } from "../../domain/config/index.ts";
import type { RestoredData, RestoredFrom } from "../../domain/node/in-place-verbs.ts";
import type { NodeIntent } from "../../domain/node/protocol.ts";
import { account } from "../accounts.ts";
import type { NodeContext } from "../context.ts";
import { controlData } from "../control-data.ts";
import { changePasswordsSql, disableLoginsSql, enableLoginsSql } from "../database-sql.ts";
import { NodeFailure } from "../failure.ts";
import { ensureFile, readIfPresent } from "../files.ts";
import { readPasswords, verifiers } from "../passwords.ts";
import { postgresWords } from "../postgres-words.ts";
import { runSql } from "../psql.ts";
import { askToStop, lastLines, outcomeOf } from "../transient-unit.ts";
import { applyDatabase, requireLeader } from "../verbs/apply-database.ts";
import { dataDirectory } from "./data-directories.ts";
import { startDataUnit } from "./data-unit.ts";
import { writeNote } from "./note.ts";
import { historyOf, markUsed } from "./timelines.ts";

const signals = {
  recovery: join(dataDirectory, "recovery.signal"),
  standby: join(dataDirectory, "standby.signal"),
};
const recovering: RestoredData = { state: "recovering", message: null, reached: null };

/** A standby that a commit would have to wait for may not be there yet. */
const withoutStandby = "SET synchronous_commit = local;";

export async function admitClients(
  { clusterId, environment, logins }: NodeIntent,
  context: NodeContext,
): Promise<void> {
  const passwords = await readPasswords(context, { clusterId, environment }, logins);
  const enable = enableLoginsSql(logins, await verifiers(clusterId, passwords));
  await runSql("postgres", `${withoutStandby}\n${enable}`);
}

/** One look at the recovery, and what can be done by now. */
export async function recover(
  operationId: string,
  from: RestoredFrom,
  intent: NodeIntent,
  context: NodeContext,
): Promise<RestoredData> {
  const unit = recoveryUnit(operationId);
  switch (await outcomeOf(unit)) {
    case "absent":
      await begin(operationId, from, intent);
      return recovering;
    case "running":
      return (await hasPromoted()) ? finish(operationId, intent, context) : recovering;
    case "ended":
    case "failed": {
      const words = postgresWords(await lastLines(unit)) ?? "PostgreSQL ended without a word";
      return { state: "failed", message: words, reached: null };
    }
  }
}

async function begin(operationId: string, from: RestoredFrom, intent: NodeIntent): Promise<void> {
  const owner = await account("postgres");
  const { configuration } = inPlacePaths(operationId);
  const mode = 0o600;
  if (from.kind === "kept") {
    const own = (await controlData())?.timeline ?? 0;
    await markUsed(dataDirectory, own, from.above ?? own);
  }
  const content = renderRecovery(intent.spec, from);
  await ensureFile({ path: configuration, content, owner, mode });
  await rm(signals.standby, { force: true });
  await ensureFile({ path: signals.recovery, content: "", owner, mode });
  const program = `${nodePaths.postgresBin}/postgres`;
  const options = ["-D", dataDirectory, "-c", `config_file=${configuration}`];
  await startDataUnit(recoveryUnit(operationId), "postgres", [program, ...options]);
}

/**
 * A backup brings along the control file of a PostgreSQL that was running; the signal goes when the target is reached.
 * Until then nobody asks: PostgreSQL would complain of it among what it has to say itself.
 */
async function hasPromoted(): Promise<boolean> {
  if ((await readIfPresent(signals.recovery)) !== null) return false;
  if ((await controlData())?.state !== "in production") return false;
  try {
    await requireLeader();
    return true;
  } catch (error) {
    if (error instanceof NodeFailure) return false;
    throw error;
  }
}

const timelineSql =
  "SELECT ('x' || left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8))::bit(32)::int;";

/** What has changed since then but is not the data's: passwords, and what the spec asks for. Clients wait for their turn. */
async function settle(intent: NodeIntent, context: NodeContext): Promise<number> {
  const { clusterId, environment, logins, nodeId, spec } = intent;
  const { database, extensions } = spec;
  await applyDatabase({ environment, clusterId, nodeId, database, extensions, logins }, context);
  const internal = await readPasswords(context, intent, ["replicator", "rewind"]);
  await runSql("postgres", changePasswordsSql(await verifiers(clusterId, internal)));
  await runSql("postgres", disableLoginsSql(logins));
  const [timeline] = await runSql("postgres", timelineSql);
  return Number(timeline);
}

async function finish(operationId: string, intent: NodeIntent, context: NodeContext): Promise<RestoredData> {
  const timeline = await settle(intent, context);
  const history = await historyOf(dataDirectory, timeline);
  const { reached } = await writeNote(operationId, { reached: { timeline, history } });
  return shutDown(operationId, reached);
}

/**
 * Its last checkpoint has all to write that the recovery has changed: it is looked at again. One that did not end in
 * order recovers when it is started.
 */
export async function shutDown(operationId: string, reached: RestoredData["reached"]): Promise<RestoredData> {
  const unit = recoveryUnit(operationId);
  const outcome = await outcomeOf(unit);
  if (outcome === "absent" || outcome === "failed") return { state: "done", message: null, reached };
  await askToStop(unit);
  return recovering;
}
