import { z } from "zod";
import { nodePaths } from "../../domain/config/index.ts";
import type { ObservedPlace } from "../../domain/node/membership-verbs.ts";
import { ownFirst } from "../../domain/node/peers.ts";
import type { NodeIntent } from "../../domain/node/protocol.ts";
import type { VerbFunction } from "../context.ts";
import { listDcsMembers } from "../dcs-members.ts";
import { Deadline } from "../deadline.ts";
import { NodeFailure } from "../failure.ts";
import { isFilled } from "../file-system.ts";
import { readIfPresent } from "../files.ts";
import { inspectSelf, selfOf } from "../inspection.ts";
import { readOwnIntent } from "../own-intent.ts";
import { observeMembers } from "../patroni.ts";
import { PeerClient } from "../peer-client.ts";
import { pendingParameters } from "../pending-restart.ts";
import { literal, runSql } from "../psql.ts";
import { active } from "../systemd.ts";

/** A change is planned by the answer: what a busy machine says late is worth more than that it said nothing. */
const patroniTimeoutMs = 5_000;

const blank: ObservedPlace = {
  inspection: null,
  isFilled: true,
  dcs: null,
  patroni: null,
  isProgramStale: false,
  pendingRestart: null,
  extensions: null,
};

/** What a failure of one question means: there is no answer, and the others are still worth having. */
async function orNull<T>(question: Promise<T>): Promise<T | null> {
  try {
    return await question;
  } catch {
    return null;
  }
}

async function observePatroni(client: PeerClient, intent: NodeIntent): Promise<ObservedPlace["patroni"]> {
  const { shard } = selfOf(intent);
  const peers = intent.peers.filter((peer) => peer.shard === shard && peer.services.includes("postgres"));
  for (const { address } of ownFirst(intent.nodeId, peers)) {
    const members = await orNull(observeMembers(client, address));
    if (members !== null) return { members };
  }
  return null;
}

/** Patroni that runs under the wrapper has left word; one that was started by itself has not. */
async function isProgramStale(intent: NodeIntent): Promise<boolean> {
  if (!selfOf(intent).services.includes("postgres")) return false;
  if (!(await active(["patroni.service"])).has("patroni.service")) return false;
  const isWrapped = (await readIfPresent(nodePaths.wrapperReport)) !== null;
  return isWrapped !== intent.spec.failover.wrapper;
}

const extensionSchema = z.strictObject({
  name: z.string(),
  version: z.string(),
  available: z.string().nullable(),
});
const extensionsSql = `SELECT pg_catalog.json_build_object('name', e.extname, 'version', e.extversion,
  'available', a.default_version)
FROM pg_catalog.pg_extension AS e LEFT JOIN pg_catalog.pg_available_extensions AS a ON a.name = e.extname
ORDER BY e.extname;`;

async function extensionsOf(database: string): Promise<ObservedPlace["extensions"]> {
  const [there] = await runSql(
    "postgres",
    `SELECT pg_catalog.pg_is_in_recovery(), EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = ${literal(database)});`,
  );
  if (there !== "f|t") return null;
  const rows = await runSql(database, extensionsSql);
  return rows.map((row) => extensionSchema.parse(JSON.parse(row)));
}

/** Both or neither: half an answer would pass for an end of the work. */
async function askPostgres(
  client: PeerClient,
  intent: NodeIntent,
  database: string,
  settle: Deadline,
): Promise<Pick<ObservedPlace, "pendingRestart" | "extensions">> {
  const pendingRestart = await pendingParameters(client, intent, settle);
  return { pendingRestart, extensions: await extensionsOf(database) };
}

export const observePlace: VerbFunction<"observe-place"> = async (input) => {
  const intent = await ownIntent(input);
  if (intent === null) return blank;
  const hasPostgres = selfOf(intent).services.includes("postgres");
  using client = await PeerClient.open();
  const settle = new Deadline(input.settleSeconds * 1000);
  const postgres = hasPostgres ? await orNull(askPostgres(client, intent, input.database, settle)) : null;
  const [inspection, filled, dcs, patroni, stale] = await Promise.all([
    inspectSelf(hasPostgres ? client : null, intent, patroniTimeoutMs),
    isFilled(),
    orNull(listDcsMembers(client, intent)),
    observePatroni(client, intent),
    isProgramStale(intent),
  ]);
  return {
    inspection,
    isFilled: filled,
    dcs,
    patroni,
    isProgramStale: stale,
    pendingRestart: postgres?.pendingRestart ?? null,
    extensions: postgres?.extensions ?? null,
  };
};

async function ownIntent(input: { clusterId: string; nodeId: string }): Promise<NodeIntent | null> {
  try {
    return await readOwnIntent(input);
  } catch (error) {
    if (error instanceof NodeFailure && error.code === "not-configured") return null;
    throw error;
  }
}
