import { afterAll, beforeAll, expect, test } from "vitest";
import { cutOffObjectStore, shellAt } from "../support/accidents.ts";
import { addFault, clearFaults } from "../support/faults.ts";
import { onMachine, postmasterAt } from "../support/machines.ts";
import { Trial } from "../support/trial.ts";
import { waitFor } from "../support/wait.ts";
import { api, environment } from "../support/world.ts";

/** Written while S3 is away: some of it is tried again and again, and the rest waits behind it. */
const segmentsWaiting = 5;
/** pgBackRest finds out within a minute that what it waits for does not come, and then PostgreSQL tries again. */
const archiveSeconds = 120;
/** What a client would take for an outage is a failed write here. */
const answerTimeoutMs = 10_000;
/** Segments are of 4 MiB; their names count 4 GiB, then segments in them. */
const segmentsPer4Gib = 1024;
const everyPut = 1_000_000;
const archiveStatus = "/var/lib/pgherd/data/postgres/17/pg_wal/archive_status";

let trial: Trial;
let leader: string;

beforeAll(async () => {
  const spec = { name: "archive-away", storage: { sizeGiB: 2 } };
  trial = await Trial.start(environment, api, spec, { answerTimeoutMs });
  leader = (await trial.leader()).address;
});
afterAll(async () => {
  await clearFaults(environment);
  await trial[Symbol.asyncDispose]();
});

const asPostgres = (command: string): Promise<string> =>
  onMachine(leader, ["su", "postgres", "-s", "/bin/sh", "-c", command]);

/** @returns the name of the WAL segment that is full then */
async function endSegment(): Promise<string> {
  const statement =
    "SELECT pg_logical_emit_message(false, 'archive', 'x'); SELECT pg_walfile_name(pg_switch_wal())";
  return (await asPostgres(`psql -qAtX -c "${statement}" app`)).trim().split("\n").at(-1) ?? "";
}

async function archived(segment: string): Promise<void> {
  await waitFor(`segment ${segment} is archived`, archiveSeconds, async () => {
    const waiting = await shellAt(leader, `ls ${archiveStatus}`);
    const names = waiting.split("\n").filter((name) => name.endsWith(".ready"));
    return names.every((name) => name > `${segment}.ready`) ? true : undefined;
  });
}

/** Minutes pass for what waits longest. */
async function growOld(): Promise<void> {
  await shellAt(
    leader,
    `cd ${archiveStatus} && touch -d '10 minutes ago' "$(ls | grep 'ready$' | head -n 1)"`,
  );
}

const numberOf = (segment: string): number =>
  Number.parseInt(segment.slice(8, 16), 16) * segmentsPer4Gib + Number.parseInt(segment.slice(16, 24), 16);

/** What pgBackRest itself finds in the repository from one segment to another, in order. */
async function numbersInArchive(first: string, last: string): Promise<number[]> {
  const pgbackrest = "pgbackrest --config=/etc/pgherd/pgbackrest.conf --stanza=main";
  await asPostgres(`${pgbackrest} verify`);
  const paths = await asPostgres(`${pgbackrest} repo-ls --recurse --filter='[0-9A-F]{24}-' archive`);
  return [...paths.matchAll(/(?:^|\/)([0-9A-F]{24})-/gm)]
    .map((match) => match[1] ?? "")
    .filter((segment) => segment >= first && segment <= last)
    .map(numberOf)
    .toSorted((left, right) => left - right);
}

async function refuseWrites(): Promise<() => Promise<void>> {
  await addFault(environment, {
    service: "s3",
    action: "PutObject",
    inputContains: `clusters/${trial.cluster.id}/`,
    times: everyPut,
    effect: { kind: "error", code: "AccessDenied", statusCode: 403 },
  });
  return () => clearFaults(environment);
}

const cutOff = (): Promise<() => Promise<void>> =>
  cutOffObjectStore(trial.cluster.nodes.flatMap(({ address }) => address ?? []));

test.each<[string, () => Promise<() => Promise<void>>]>([
  ["out of reach", cutOff],
  ["refusing writes", refuseWrites],
])("S3 %s: nobody's write fails, the status says so, and afterwards no WAL is missing", async (_, happen) => {
  const { pid } = await postmasterAt(leader);
  const first = await endSegment();
  await archived(first);

  const heal = await happen();
  try {
    for (let segment = 0; segment < segmentsWaiting; segment += 1) await endSegment();
    await growOld();
    await trial.statusSays("degraded", /WAL segments of .* wait to be archived, the oldest for [6-9]\d\d s/);
    await trial.allWrite();
  } finally {
    await heal();
  }
  const last = await endSegment();
  await archived(last);
  await trial.statusSays("available", /every member runs/i);
  await trial.allWrite();

  expect((await postmasterAt(leader)).pid).toBe(pid);
  expect(trial.failedWrites()).toEqual([{}, {}]);
  expect(await trial.lostRows()).toEqual([]);
  const expected = Array.from(
    { length: numberOf(last) - numberOf(first) + 1 },
    (__, step) => numberOf(first) + step,
  );
  expect(expected.length).toBeGreaterThan(segmentsWaiting);
  expect(await numbersInArchive(first, last)).toEqual(expected);
});
