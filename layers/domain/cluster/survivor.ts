import type { WalPosition } from "../node/inspect-verbs.ts";

export interface Copy {
  readonly nodeId: string;
  /** Null where PostgreSQL does not answer. */
  readonly reached: WalPosition | null;
}

/**
 * The copy that the fewest transactions are missing from: a later timeline was promoted from an earlier one, so that
 * timelines come before bytes. Copies that nobody can ask come last; null where there is no copy at all.
 */
export function bestCopy(copies: readonly Copy[]): string | null {
  const [best] = copies.toSorted((left, right) => compare(right.reached, left.reached));
  return best?.nodeId ?? null;
}

function compare(left: WalPosition | null, right: WalPosition | null): number {
  if (left === null || right === null) return Number(left !== null) - Number(right !== null);
  if (left.timeline !== right.timeline) return left.timeline - right.timeline;
  const difference = BigInt(left.bytes) - BigInt(right.bytes);
  return difference > 0n ? 1 : difference < 0n ? -1 : 0;
}
