import { copyingUnit, inPlacePaths } from "../../domain/config/index.ts";
import type { inPlaceVerbs, RestoredData, RestoredFrom } from "../../domain/node/in-place-verbs.ts";
import type { NodeCommands, NodeIntent } from "../../domain/node/protocol.ts";
import type { NodeContext, VerbFunction } from "../context.ts";
import { controlData } from "../control-data.ts";
import { Deadline } from "../deadline.ts";
import { NodeFailure } from "../failure.ts";
import { copy } from "../in-place/copying.ts";
import {
  dataDirectory,
  dropAside,
  exists,
  hasContent,
  move,
  setAside,
} from "../in-place/data-directories.ts";
import { lead, patroniUnit, startPatroni } from "../in-place/leading.ts";
import { readNote, writeNote } from "../in-place/note.ts";
import { preserve } from "../in-place/preserve.ts";
import { putBack } from "../in-place/putting-back.ts";
import { admitClients, recover, shutDown } from "../in-place/recovery.ts";
import { archivedTimeline as youngestArchived } from "../in-place/timelines.ts";
import { withLock } from "../lock.ts";
import { readOwnIntent } from "../own-intent.ts";
import { readPasswords } from "../passwords.ts";
import { PeerClient } from "../peer-client.ts";
import { holdClients, letClientsIn } from "../pooler.ts";
import { run } from "../process.ts";
import { stopUnit } from "../transient-unit.ts";
import { requireLeader } from "./apply-database.ts";
import { isRunning } from "./shut-down.ts";

/** Of an execution and of the one that takes its place. */
const sameOperationWaitMs = 120_000;
const stopPatroniMs = 60_000;
/** Its process has ended already. */
const clearMs = 10_000;

const withOperation = <T>(operationId: string, body: () => Promise<T>): Promise<T> =>
  withLock(`in place ${operationId}`, sameOperationWaitMs, body);

/** What a running PostgreSQL has open does not change its place. */
async function requireStopped(): Promise<void> {
  if (!(await isRunning())) return;
  throw new NodeFailure("PostgreSQL still runs on the data", { code: "postgres-runs" });
}

const preserveState: VerbFunction<"preserve-state"> = async (input) => {
  await readOwnIntent(input);
  await requireLeader();
  return preserve(input.restorePoint, new Deadline(input.deadlineSeconds * 1000));
};

const setAsideData: VerbFunction<"set-aside-data"> = async (input) => {
  await readOwnIntent(input);
  return withOperation(input.operationId, async () => {
    if (await exists(inPlacePaths(input.operationId).aside)) return {};
    await requireStopped();
    await setAside(input.operationId);
    return {};
  });
};

const takeKeptData: VerbFunction<"take-kept-data"> = async (input) => {
  await readOwnIntent(input);
  const { keptOperationId, operationId } = input;
  return withOperation(operationId, async () => {
    const { tookFrom } = await readNote(operationId);
    const kept = inPlacePaths(keptOperationId).aside;
    if (!(await exists(kept))) return { hasData: tookFrom === keptOperationId };
    await requireStopped();
    if (await hasContent(dataDirectory)) {
      throw new NodeFailure("there is other data in the place", { code: "not-set-aside" });
    }
    await writeNote(operationId, { tookFrom: keptOperationId });
    await move(kept, dataDirectory);
    return { hasData: true };
  });
};

const done = (reached: RestoredData["reached"]): RestoredData => ({ state: "done", message: null, reached });
const failed = (message: string): RestoredData => ({ state: "failed", message, reached: null });

type Kept = Extract<RestoredFrom, { kind: "kept" }>;

/**
 * With what this node knows itself; null: the data can go on as it was stopped. A text: it cannot go on, as it was led
 * out of its timeline before, without coming into service, and somebody else has come to use the number.
 */
async function keptToRecover(operationId: string, from: Kept): Promise<Kept | null | string> {
  const { archivedTimeline } = await readNote(operationId);
  const above = Math.max(from.above ?? 0, archivedTimeline ?? 0);
  const own = (await controlData())?.timeline ?? 0;
  const { left } = from;
  if (left === null) return above > own ? { ...from, above } : null;
  const isOwn = ((await youngestArchived(dataDirectory)) ?? 0) >= own;
  if (own > left && above >= own && !isOwn) return `timeline ${own}, which it is on, is another's by now`;
  return { ...from, above: Math.max(above, own), withArchive: from.withArchive && own <= left };
}

const restoreData: VerbFunction<"restore-data"> = async (input, context) => {
  const intent = await readOwnIntent(input);
  return withOperation(input.operationId, () => carryOn(input, intent, context));
};

async function carryOn(
  { from, operationId }: NodeCommands["restore-data"]["input"],
  intent: NodeIntent,
  context: NodeContext,
): Promise<RestoredData> {
  const note = await readNote(operationId);
  if (note.reached !== null) return shutDown(operationId, note.reached);
  const source = from.kind === "kept" ? await keptToRecover(operationId, from) : from;
  if (source === null) return done(null);
  if (typeof source === "string") return failed(source);
  // It starts with its machine, and would take part in what is none of its business yet.
  await run("systemctl", ["stop", patroniUnit], { timeoutMs: stopPatroniMs });
  if (source.kind === "backup" && !note.isCopied) {
    if (!(await exists(inPlacePaths(operationId).aside))) {
      throw new NodeFailure("no data has been set aside here", { code: "not-set-aside" });
    }
    const copying = await copy(operationId, source.label, intent);
    if (copying === "begun") return { state: "copying", message: null, reached: null };
    if (copying !== "done") return failed(copying.failed);
    await writeNote(operationId, { isCopied: true });
    await stopUnit(copyingUnit(operationId), clearMs);
  }
  return recover(operationId, source, intent, context);
}

const startMember: VerbFunction<"start-member"> = async (input, context) => {
  const intent = await readOwnIntent(input);
  await startPatroni();
  if (!input.leads) return {};
  const { patroni: password } = await readPasswords(context, intent, ["patroni"]);
  using client = await PeerClient.open();
  const deadline = new Deadline(input.deadlineSeconds * 1000);
  await lead({ client, nodeId: input.nodeId, password, deadline });
  return {};
};

const putDataBack: VerbFunction<"put-data-back"> = async (input) => {
  await readOwnIntent(input);
  await withOperation(input.operationId, () =>
    putBack(input.operationId, new Deadline(input.deadlineSeconds * 1000)),
  );
  return {};
};

const keptData: VerbFunction<"kept-data"> = async (input) => {
  await readOwnIntent(input);
  const { archivedTimeline } = await readNote(input.operationId);
  return { isKept: await hasContent(inPlacePaths(input.operationId).aside), archivedTimeline };
};

export const inPlace: { readonly [V in keyof typeof inPlaceVerbs]: VerbFunction<V> } = {
  "hold-clients": async (input) => {
    const { spec } = await readOwnIntent(input);
    return { isHeld: await holdClients(spec.database, input.waitSeconds * 1000) };
  },
  "let-clients-in": async (input) => {
    const { spec } = await readOwnIntent(input);
    await letClientsIn(spec.database);
    return {};
  },
  "admit-clients": async (input, context) => {
    const intent = await readOwnIntent(input);
    await requireLeader();
    await admitClients(intent, context);
    return {};
  },
  "preserve-state": preserveState,
  "set-aside-data": setAsideData,
  "take-kept-data": takeKeptData,
  "restore-data": restoreData,
  "start-member": startMember,
  "put-data-back": putDataBack,
  "kept-data": keptData,
  "drop-aside-data": async (input) => {
    await readOwnIntent(input);
    await dropAside(input.keep);
    return {};
  },
};
