import type { Backup } from "./backup.ts";
import { byInstant } from "./instant.ts";
import type { Retention } from "./schedule.ts";

type Kept = Pick<Backup, "id" | "engine" | "label" | "type" | "state" | "references" | "startedAt">;

/** Its own moment, which ends the name of one that builds on another: pgBackRest makes each later than the one before. */
const momentOf = ({ label }: Kept): string => (label ?? "").split("_").at(-1) ?? "";
const byMoment = (left: Kept, right: Kept): number => (momentOf(left) < momentOf(right) ? -1 : 1);

/**
 * The backups that may go, in the order in which they can: whatever depends on another goes before it. Of the full
 * ones and of the differential ones the newest are kept; with each that goes, everything goes that is nothing without
 * it. Logical ones stand each for itself. What was about to be deleted and is not deleted yet goes, too.
 * @param inUse ids of backups that somebody restores from
 */
export function beyondRetention<B extends Kept>(
  backups: readonly B[],
  retention: Retention,
  inUse: ReadonlySet<string> = new Set(),
): B[] {
  const [physical, logical] = [backups.filter(isOfFiles), backups.filter((one) => !isOfFiles(one))];
  return [
    ...physicalBeyond(physical, retention, inUse),
    ...logicalBeyond(logical, retention.logical).filter(({ id }) => !inUse.has(id)),
  ];
}

const isOfFiles = ({ engine }: Kept): boolean => engine === "pgbackrest";

/** Ids grow with time. Of one that never came to its end there may be objects, too. */
function logicalBeyond<B extends Kept>(backups: readonly B[], kept: number): B[] {
  const inOrder = backups.toSorted((left, right) => (left.id < right.id ? -1 : 1));
  const surplus = inOrder.filter(({ state }) => state === "succeeded").slice(0, -kept);
  return inOrder.filter((one) => one.state === "deleting" || surplus.includes(one));
}

function physicalBeyond<B extends Kept>(
  backups: readonly B[],
  { diff, full }: Retention,
  inUse: ReadonlySet<string>,
): B[] {
  const there = backups
    .filter(({ label, state }) => label !== null && state === "succeeded")
    .toSorted(byMoment);
  const left = backups.filter(({ label, state }) => label !== null && state === "deleting");
  const going = new Set<string>();
  const giveUp = (type: Backup["type"], kept: number): void => {
    const staying = there.filter((one) => one.type === type && !isGoing(one, going));
    for (const { label } of staying.slice(0, -kept)) going.add(label ?? "");
  };
  giveUp("full", full);
  giveUp("diff", diff);
  const expired = [...left, ...there.filter((one) => isGoing(one, going))];
  const needed = neededBy(
    backups.filter(({ id }) => inUse.has(id)),
    there.filter((one) => !isGoing(one, going)),
  );
  return expired
    .filter(({ id, label }) => !inUse.has(id) && !needed.has(label ?? ""))
    .toSorted(byMoment)
    .toReversed();
}

/** It goes itself, or nobody could restore it any more. */
function isGoing({ label, references }: Kept, going: ReadonlySet<string>): boolean {
  return going.has(label ?? "") || references.some((one) => going.has(one));
}

const neededBy = (...kept: readonly (readonly Kept[])[]): Set<string> =>
  new Set(kept.flat().flatMap(({ references }) => references));

/**
 * Tries that came to nothing, of before the first backup that is left: they go with the backups of their time, and
 * until there are as many as are kept they stay.
 */
export function forgettable<B extends Kept>(backups: readonly B[], { full }: Retention): B[] {
  const physical = backups.filter(isOfFiles);
  const there = physical.filter(({ state }) => state === "succeeded").toSorted(byMoment);
  const [first] = there;
  if (first === undefined || there.filter(({ type }) => type === "full").length < full) return [];
  return physical.filter(
    ({ label, startedAt, state }) =>
      label === null &&
      (state === "failed" || state === "cancelled") &&
      byInstant(startedAt, first.startedAt) < 0,
  );
}
