import type { Backup } from "@pgherd/layers/domain";
import { report, runsOr } from "../figure.ts";
import { otherWays, type Taken } from "./others.ts";
import type { Place } from "./place.ts";

const runs = runsOr(3);
/** Five gigabytes through two cores that everything shares. */
const operationSeconds = 3_600;
const msPerSecond = 1_000;
const bytesPerMb = 1_000_000;
const bytesPerMib = 1024 ** 2;

export interface FullBackup extends Taken {
  readonly backup: Backup;
}

/** As the API takes it: from POST until the operation has succeeded. */
export async function takeFull({ api, path }: Place): Promise<FullBackup> {
  const begun = performance.now();
  const { id } = await api.carryOut("POST", `${path}/backups`, { type: "full" }, operationSeconds);
  const ms = performance.now() - begun;
  const { items } = (await api.get<{ items: readonly Backup[] }>(`${path}/backups`)).body;
  const backup = items.find(({ operationId }) => operationId === id);
  if (backup?.repositoryBytes == null) throw new Error(`no full backup of ${id}: ${JSON.stringify(backup)}`);
  return { ms, repositoryBytes: backup.repositoryBytes, backup };
}

/** How fast a full backup of the same data is and how large, one way after the other, in turns. */
export async function benchTaking(place: Place): Promise<void> {
  const others = await otherWays(place.environment, place.pgherd.cluster);
  const ours: FullBackup[] = [];
  const theirs = others.map(({ name }) => ({ name, taken: [] as Taken[] }));
  for (let run = 0; run < runs; run += 1) {
    await place.settle();
    ours.push(await takeFull(place));
    for (const [index, { take }] of others.entries()) {
      await place.settle();
      theirs[index]?.taken.push(await take(await place.pgherd.leaderAddress()));
    }
  }
  const bytes = ours[0]?.backup.sizeBytes ?? Number.NaN;
  reportTaken("pgherd, from a replica, to S3", ours, bytes);
  report(
    "backup: pgherd, its pgbackrest alone, MB/s",
    ours.map(({ backup }) => speed(bytes, Date.parse(backup.endedAt ?? "") - Date.parse(backup.startedAt))),
  );
  for (const { name, taken } of theirs) reportTaken(name, taken, bytes);
}

const speed = (bytes: number, ms: number): number => bytes / bytesPerMb / (ms / msPerSecond);

/** @param bytes of the database's files, for every way the same */
function reportTaken(name: string, taken: readonly Taken[], bytes: number): void {
  report(
    `backup: ${name}, ms`,
    taken.map(({ ms }) => ms),
  );
  report(
    `backup: ${name}, MB/s`,
    taken.map(({ ms }) => speed(bytes, ms)),
  );
  report(
    `backup: ${name}, repository MiB`,
    taken.map(({ repositoryBytes }) => repositoryBytes / bytesPerMib),
  );
}
