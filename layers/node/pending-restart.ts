import { readFile, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { nodePorts } from "../domain/cluster/node-ports.ts";
import { configurationFiles, dynamicConfiguration, dynamicDrift, nodePaths } from "../domain/config/index.ts";
import type { YamlMapping } from "../domain/config/yaml.ts";
import type { PendingParameter } from "../domain/node/membership-verbs.ts";
import type { NodeIntent } from "../domain/node/protocol.ts";
import { sharedParameters } from "../domain/postgres/parameter-rules.ts";
import { Deadline } from "./deadline.ts";
import { observeMembers } from "./patroni.ts";
import type { PeerClient } from "./peer-client.ts";
import { literal, runSql } from "./psql.ts";

/**
 * Patroni looks at a changed configuration once in a loop (ten seconds in the most cautious profile), then waits a
 * second before it asks PostgreSQL what that takes, and tells the others with the next loop.
 */
const takenMsMax = 25_000;
const lookMs = 250;
const patroniTimeoutMs = 2_000;
const loopback = "127.0.0.1";

/** Reloaded, not restarted for; everything else that is shared takes a restart. */
const reloadable = ["wal_keep_size"];
const sharedNames = Object.keys(sharedParameters).filter((name) => !reloadable.includes(name));

const answerSchema = z.object({
  loadedMs: z.number(),
  pending: z.array(z.object({ name: z.string(), from: z.string(), to: z.string() })),
  shared: z.record(z.string(), z.string()),
});

/** Parameters of the command line, which is where Patroni puts the shared ones, never count as pending by themselves. */
const sql = `SELECT pg_catalog.json_build_object(
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
export async function pendingParameters(client: PeerClient, intent: NodeIntent): Promise<PendingParameter[]> {
  const deadline = new Deadline(takenMsMax);
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
  const { loadedMs, pending: told, shared } = answerSchema.parse(JSON.parse(row ?? ""));
  const [given, taken, text, members, dynamic] = await Promise.all([
    stat(configurationFiles.patroni),
    stat(postgresConfiguration),
    readFile(postgresConfiguration, "utf8"),
    observeMembers(client, loopback),
    client.get(loopback, nodePorts.patroni, "/config", patroniTimeoutMs),
  ]);
  const written = parseConfiguration(text);
  const own = sharedNames.flatMap((name): PendingParameter[] => {
    const [from, to] = [shared[name], written.get(name)];
    return from === undefined || to === undefined || same(from, to) ? [] : [{ name, from, to }];
  });
  const pending = [...told.filter(({ name }) => !sharedNames.includes(name)), ...own];
  const isRead = taken.mtimeMs >= given.mtimeMs && loadedMs >= Math.floor(taken.mtimeMs);
  const isTold = members.some((member) => member.nodeId === intent.nodeId && member.pendingRestart);
  const isFollowed = hasFollowed(dynamicConfiguration(intent.spec), dynamic.body, written);
  return { isTaken: isRead && isFollowed && (isTold || pending.length === 0), pending };
}

/** Whether PostgreSQL's file has the shared parameters of the DCS; where that has others than the spec, it is early. */
function hasFollowed(spec: YamlMapping, dcs: unknown, written: ReadonlyMap<string, string>): boolean {
  if (dynamicDrift(spec, dcs).length > 0) return true;
  const wanted = dynamicParametersSchema.parse(spec).postgresql.parameters;
  return sharedNames.every((name) => {
    const [value, found] = [wanted[name], written.get(name)];
    return value === undefined || found === undefined || same(String(value), found);
  });
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
