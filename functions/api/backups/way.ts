import {
  type ArchiveFirst,
  type Backup,
  checkTarget,
  checkWal,
  estimateRestore,
  type History,
  Problem,
  type RefusedTarget,
  type RestoreEstimate,
  type RestorePlan,
  type RestoreWish,
} from "@pgherd/layers/domain";
import type { ApiContext } from "../context.ts";
import { asProblem } from "../stores.ts";
import { historyOf } from "./history.ts";
import type { Source } from "./source.ts";

/** How a restore gets to its target. */
export interface Way {
  readonly backup: Backup;
  readonly window: History["window"];
  /** Null: the newest one. */
  readonly timeline: number | null;
  readonly archiveFirst: ArchiveFirst | null;
  /** What PostgreSQL replays, at most; null: nobody knows. */
  readonly walBytes: number | null;
  readonly isWalChecked: boolean;
  readonly estimate: RestoreEstimate;
}

/** @throws {Problem} what stands in the way of the target, with what would be right */
export async function findWay(context: ApiContext, source: Source, wish: RestoreWish): Promise<Way> {
  const history = await asProblem(null, () => historyOf(context, source, wish.target));
  const plan = checkTarget(wish, history);
  if (!plan.ok) throw refusal(plan);
  const wal = await asProblem(null, () => walOf(context, source, plan));
  const checked = checkWal(plan, wish.target, wal, history);
  if (!checked.ok) throw refusal(checked);
  const { backup, isChecked, walBytes } = checked;
  return {
    backup,
    window: history.window,
    timeline: plan.timeline,
    archiveFirst: plan.archiveFirst,
    walBytes,
    isWalChecked: isChecked,
    estimate: estimateRestore(backup, walBytes, history.backups),
  };
}

/** From where the first of the backups begins that come into question. */
async function walOf({ repositories }: ApiContext, source: Source, { backup, others }: RestorePlan) {
  const starts = [backup, ...others].flatMap(({ walStart }) => walStart ?? []);
  const [from] = starts.toSorted();
  if (from === undefined) return { segments: [], isCut: true };
  const place = { clusterId: source.id, shard: backup.shard, store: source.spec.backup.store };
  return repositories.wal(place, from);
}

/** For dry runs. */
export const preflightOf = ({ archiveFirst, backup, isWalChecked, timeline, window, ...way }: Way) => ({
  backupId: backup.id,
  restoreWindow: window,
  timeline: timeline ?? "newest",
  walBytes: way.walBytes,
  isWalChecked,
  archivesFirst: archiveFirst !== null,
  estimate: way.estimate,
});

const refusal = ({ code, error }: RefusedTarget): Problem =>
  new Problem(code, `The restore cannot be done: ${error.path.slice(1)} ${error.message}.`, {
    errors: [error],
  });
