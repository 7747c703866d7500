import { setTimeout as delay } from "node:timers/promises";
import type { Cluster, Operation, RestoreEstimate } from "@pgherd/layers/domain";
import { Database } from "../../test/e2e/support/database.ts";
import { Load } from "../../test/e2e/support/load.ts";
import { Writers } from "../../test/e2e/support/writers.ts";
import { report, runsOr, stopwatch } from "../figure.ts";
import { type Moment, momentsSql, type Place } from "./place.ts";
import { takeFull } from "./taking.ts";

const runs = runsOr(3);
/** Five gigabytes copied to three nodes that share two cores. */
const restoreSeconds = 3_600;
/** Between the backup and the first moment that is gone back to: what is to be replayed. */
const writingMs = 60_000;
const writingPerSecond = 200;
/** A client that reconnects, for how long nobody can write. */
const beatsTable = "beats";
const pauseMs = 100;
const bytesPerMib = 1024 ** 2;
const msPerSecond = 1_000;

/** From POST to `available`, to a point some WAL after the backup; whoever is elsewhere then has not been measured. */
export async function benchRestoring(place: Place): Promise<void> {
  const { pgherd } = place;
  await pgherd.sql(`CREATE TABLE ${beatsTable} (client int, id bigint, PRIMARY KEY (client, id))`);
  await place.settle();
  await takeFull(place);
  await write(place);
  for (const members of [1, 3]) await benchNewCluster(place, members);
  await benchInPlace(place);
}

async function write({ pgherd }: Place): Promise<void> {
  await using load = await Load.start(pgherd.database, {
    protocol: "prepared",
    addresses: pgherd.addresses,
    transactionsPerSecond: writingPerSecond,
  });
  await delay(writingMs);
  await load.end();
}

async function benchNewCluster(place: Place, members: number): Promise<void> {
  const times: number[] = [];
  const estimates: number[] = [];
  let walBytes = Number.NaN;
  for (let run = 0; run < runs; run += 1) {
    const moment = await place.moment();
    const body = bodyOf(moment, { newCluster: { name: `bench-restored-${members}-${run}`, members } });
    const expected = await estimateOf(place, body);
    estimates.push(expected.estimate.seconds * msPerSecond);
    walBytes = expected.walBytes ?? Number.NaN;
    times.push(await restoreOnce(place, body, moment));
  }
  const name = `backup: restore to a time into a new cluster of ${members}`;
  report(`${name}: POST to available, ms`, times);
  report(`${name}: estimated by a dry run, ms`, estimates);
  report(`${name}: WAL to replay at most, MiB`, [walBytes / bytesPerMib]);
}

const bodyOf = ({ time }: Moment, into: unknown): object => ({ target: { time }, into });

async function estimateOf(
  { api, path }: Place,
  body: object,
): Promise<{ readonly estimate: RestoreEstimate; readonly walBytes: number | null }> {
  const answer = await api.call<{ preflight: { estimate: RestoreEstimate; walBytes: number | null } }>(
    "POST",
    `${path}/restore?dryRun=true`,
    { body },
  );
  if (answer.status !== 200) throw new Error(`POST restore: ${JSON.stringify(answer.body)}`);
  return answer.body.preflight;
}

async function restoreOnce(place: Place, body: object, moment: Moment): Promise<number> {
  const { api, environment, path } = place;
  let clusterId: string | undefined;
  try {
    const ms = await stopwatch(async () => {
      const operation = await api.begin("POST", `${path}/restore`, body);
      clusterId = operation.clusterId;
      await available(place, operation);
    });
    await using database = await Database.of(environment, api, clusterId ?? "");
    checkMoment(await database.sql("readWrite", "admin", momentsSql), moment);
    return ms;
  } finally {
    if (clusterId !== undefined) await api.remove(clusterId);
  }
}

/** @throws when the operation ends otherwise */
async function available({ api }: Place, { clusterId, id }: Operation): Promise<void> {
  const operation = await api.operationEnd(id, restoreSeconds);
  const { body } = await api.get<Cluster>(`/v1/clusters/${clusterId}`);
  if (operation.state !== "succeeded" || body.status !== "available")
    throw new Error(`restore: ${JSON.stringify(operation)}, cluster ${body.status}: ${body.statusReason}`);
}

function checkMoment(rows: string, moment: Moment): void {
  if (rows !== moment.rows)
    throw new Error(`restored to another moment: "${rows}" instead of "${moment.rows}"`);
}

async function benchInPlace(place: Place): Promise<void> {
  const { api, path, pgherd } = place;
  const times: number[] = [];
  const outages: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    const moment = await place.moment();
    const target = pgherd.targetOf("readWrite");
    await using writers = Writers.start(target, { table: beatsTable, writers: 1, pauseMs }, run);
    writers.mark();
    const begun = performance.now();
    const operation = await api.begin("POST", `${path}/restore`, bodyOf(moment, "in-place"));
    await available(place, operation);
    times.push(performance.now() - begun);
    await writers.stop();
    outages.push(writers.report().outageMs);
    checkMoment(await pgherd.sql(momentsSql), moment);
    await api.carryOut("POST", `${path}/restore/${operation.id}/confirm`);
  }
  report("backup: restore to a time in place: POST to available, ms", times);
  report("backup: restore to a time in place: nobody wrote through 5000, ms", outages);
}
