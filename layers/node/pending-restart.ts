import { readFile, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { nodePorts } from "../domain/cluster/node-ports.ts";
import { configurationFiles, dynamicConfiguration, dynamicDrift, nodePaths } from "../domain/config/index.ts";
import type { PendingParameter } from "../domain/node/membership-verbs.ts";
import type { NodeIntent } from "../domain/node/protocol.ts";
import { sharedParameters } from "../domain/postgres/parameter-rules.ts";
import type { Deadline } from "./deadline.ts";
import { observeMembers } from "./patroni.ts";
import type { PeerClient } from "./peer-client.ts";
import { literal, runSql } from "./psql.ts";

/** Between two looks at what Patroni has done so far. */
const lookMs = 250;
/** As patient as who asks, who plans by the answer. */
const patroniTimeoutMs = 5_000;
const loopback = "127.0.0.1";

/** Reloaded, not restarted for; everything else that is shared takes a restart. */
const reloadable = ["wal_keep_size"];
const sharedNames = Object.keys(sharedParameters).filter((name) => !reloadable.includes(name));

const answerSchema = z.object({
  isStandby: z.boolean(),
  loadedMs: z.number(),
  pending: z.array(z.object({ name: z.string(), from: z.string(), to: z.string() })),
  shared: z.record(z.string(), z.string()),
});

/** Parameters of the command line, which is where Patroni puts the shared ones, never count as pending by themselves. */
const sql = `SELECT pg_catalog.json_build_object(
  'isStandby', pg_catalog.pg_is_in_recovery(),
  'loadedMs', extract(epoch FROM pg_catalog.pg_conf_load_time()) * 1000,
  'pending', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
      'name', s.name, 'from', s.setting, 'to', coalesce(f.setting, ''))), '[]'::json)
    FROM pg_catalog.pg_settings AS s
    LEFT JOIN LATERAL (SELECT setting FROM pg_catalog.pg_file_settings
      WHERE name = s.name ORDER BY seqno DESC LIMIT 1) AS f ON true
    WHERE s.pending_restart),
  'shared', (SELECT pg_catalog.json_object_agg(name, setting) FROM pg_catalog.pg_settings
    WHERE name IN (${sharedNames.map(literal).join(", ")})));`;

/**
 * What waits for a restart of this node's PostgreSQL, after Patroni has taken over the configuration that it was given
 * last. A Patroni that does not get there in time is told by its member's state, not here.
 */
export async function pendingParameters(
  client: PeerClient,
  intent: NodeIntent,
  deadline: Deadline,
): Promise<PendingParameter[]> {
  for (;;) {
    const { isTaken, pending } = await look(client, intent);
    if (isTaken || deadline.passed) return pending;
    await sleep(lookMs);
  }
}

async function look(
  client: PeerClient,
  intent: NodeIntent,
): Promise<{ isTaken: boolean; pending: PendingParameter[] }> {
  const postgresConfiguration = `${nodePaths.postgresData}/postgresql.conf`;
  const [row] = await runSql("postgres", sql);
  const answer = answerSchema.parse(JSON.parse(row ?? ""));
  const [given, taken, text, members, dynamic] = await Promise.all([
    stat(configurationFiles.patroni),
    stat(postgresConfiguration),
    readFile(postgresConfiguration, "utf8"),
    observeMembers(client, loopback),
    client.get(loopback, nodePorts.patroni, "/config", patroniTimeoutMs),
  ]);
  const told = answer.pending.filter(({ name }) => !sharedNames.includes(name));
  const shared = sharedOf(intent, dynamic.body, answer, parseConfiguration(text));
  const isRead = taken.mtimeMs >= given.mtimeMs && answer.loadedMs >= Math.floor(taken.mtimeMs);
  const isTold = members.some((member) => member.nodeId === intent.nodeId && member.pendingRestart);
  return {
    isTaken: isRead && shared.isFollowed && (isTold || told.length === 0),
    pending: [...told, ...shared.pending],
  };
}

/**
 * A standby is started with its leader's value of a shared parameter that was lowered, and its file says so, until the
 * leader has the lower one. While the DCS has other values than the spec, there is nothing to follow yet.
 */
function sharedOf(
  intent: NodeIntent,
  dcs: unknown,
  { isStandby, shared }: z.infer<typeof answerSchema>,
  written: ReadonlyMap<string, string>,
): { isFollowed: boolean; pending: PendingParameter[] } {
  const spec = dynamicConfiguration(intent.spec);
  if (dynamicDrift(spec, dcs).length > 0) return { isFollowed: true, pending: [] };
  const wanted = dynamicParametersSchema.parse(spec).postgresql.parameters;
  const all = sharedNames.flatMap((name) => {
    const [from, to, inFile] = [shared[name], wanted[name], written.get(name)];
    return from === undefined || to === undefined || inFile === undefined
      ? []
      : [{ name, from, to: String(to), inFile }];
  });
  return {
    isFollowed: all.every(({ to, inFile }) => same(to, inFile) || (isStandby && Number(inFile) > Number(to))),
    pending: all
      .filter(({ from, to }) => !same(from, to))
      .map(({ name, from, to }): PendingParameter => ({ name, from, to })),
  };
}

const dynamicParametersSchema = z.object({
  postgresql: z.object({ parameters: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])) }),
});

const switches: Readonly<Record<string, string>> = { true: "on", yes: "on", false: "off", no: "off" };
const meaning = (text: string): string => switches[text.toLowerCase()] ?? text.toLowerCase();
const same = (left: string, right: string): boolean => meaning(left) === meaning(right);

/** Lines as Patroni writes them: `name = 'value'`. */
function parseConfiguration(text: string): Map<string, string> {
  const lines = [...text.matchAll(/^(?<name>[a-z_]+) = '(?<value>[^']*)'$/gm)];
  return new Map(lines.map(({ groups }) => [groups?.["name"] ?? "", groups?.["value"] ?? ""]));
}
