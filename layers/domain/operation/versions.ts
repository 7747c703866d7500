/** No operation of today takes longer than minutes; a stuck one ends by itself. */
export const executionHoursMax = 6;
/** Lambda's own limit for events that wait for a function: an execution begins that long after its call at the latest. */
export const eventHoursMax = 6;

/** Whatever an alias has led to a version has ended this long after the alias has left it. */
const settledMs = (executionHoursMax + eventHoursMax) * 60 * 60 * 1000;
/**
 * CloudFormation takes a deployment that fails back to the version of the template before, which is further down where
 * deployments in between were taken back, too.
 */
const previousKept = 3;

export interface PublishedVersion {
  /** Lambda counts versions up and uses no number twice. */
  readonly version: number;
  /** Milliseconds since 1970; null where that is not known. */
  readonly publishedMs: number | null;
}

/** The versions of one function, without `$LATEST`. */
export interface FunctionVersions {
  readonly published: readonly PublishedVersion[];
  /** The one that operations begin on; null where that is not known. */
  readonly live: number | null;
  /** All that an alias leads to, people's own ones, too. */
  readonly aliased: readonly number[];
}

/**
 * Versions that nothing can need any more but executions that still run on them, the oldest first. Which of the older
 * versions was live until when nobody knows, a failed deployment may have brought back any of them: all count as retired
 * when the live one was published. What is younger than the live one belongs to a deployment that is under way, or has
 * failed and may be tried again.
 */
export function retiredVersions({ aliased, live, published }: FunctionVersions, nowMs: number): number[] {
  const current = published.find(({ version }) => version === live);
  if (current === undefined || current.publishedMs === null) return [];
  if (nowMs - current.publishedMs < settledMs) return [];
  return published
    .map(({ version }) => version)
    .filter((version) => version < current.version)
    .toSorted((left, right) => left - right)
    .slice(0, -previousKept)
    .filter((version) => !aliased.includes(version));
}
