import { configurationFiles } from "../../domain/config/index.ts";
import type { NodeCommands, NodeIntent } from "../../domain/node/protocol.ts";
import type { VerbFunction } from "../context.ts";
import { changePasswordsSql, unchangedPasswordsSql } from "../database-sql.ts";
import { Deadline } from "../deadline.ts";
import { NodeFailure } from "../failure.ts";
import { ensureFile } from "../files.ts";
import { readKey } from "../identity.ts";
import { serviceFiles } from "../node-files.ts";
import { NoticeBoard } from "../notice-board.ts";
import { readOwnIntent } from "../own-intent.ts";
import {
  type NodePasswords,
  readNodePasswords,
  readPasswords,
  type Verifiers,
  verifiers,
} from "../passwords.ts";
import { PeerClient } from "../peer-client.ts";
import { runSql } from "../psql.ts";
import { reload } from "../systemd.ts";
import { applyIntent } from "./configure.ts";

type Input = NodeCommands["switch-passwords"]["input"];

/** The leader goes on without nodes that are not ready by then: they follow afterwards. */
const readyMsMax = 10_000;
/** Notices outlive the deadline by this, so that a repetition finds those of the first time. */
const noticeSecondsExtra = 60;
const switched = "switched";
const ready = (nodeId: string): string => `ready-${nodeId}`;

async function leads(intent: NodeIntent): Promise<boolean> {
  const self = intent.peers.find((peer) => peer.nodeId === intent.nodeId);
  if (self?.services.includes("postgres") !== true) return false;
  try {
    const [inRecovery] = await runSql("postgres", "SELECT pg_catalog.pg_is_in_recovery();");
    return inRecovery === "f";
  } catch (error) {
    // A PostgreSQL that is down does not lead.
    if (error instanceof NodeFailure) return false;
    throw error;
  }
}

/** Patroni's REST API has a password and no role. */
async function nextVerifiers(input: Input, next: Readonly<Record<string, string>>): Promise<Verifiers> {
  const roles = Object.entries(next).filter(([name]) => name !== "patroni");
  return verifiers(input.clusterId, Object.fromEntries(roles));
}

async function switchRoles(wanted: Verifiers, input: Input, board: NoticeBoard, deadline: Deadline) {
  if (Object.keys(wanted).length === 0) return;
  const [behind] = await runSql("postgres", unchangedPasswordsSql(wanted));
  if (behind === "0") return;
  const others = input.nodeIds.filter((nodeId) => nodeId !== input.nodeId).map(ready);
  await board.awaitAll(others, new Deadline(Math.min(readyMsMax, deadline.remainingMs)));
  await runSql("postgres", changePasswordsSql(wanted));
}

/** The pooler's users first, as clients meet them; then everything else that holds a password. */
async function follow(intent: NodeIntent, key: string, passwords: NodePasswords): Promise<void> {
  const self = intent.peers.find((peer) => peer.nodeId === intent.nodeId);
  if (self?.services.includes("pgbouncer") === true) {
    const services = await serviceFiles({ intent, self, passwords, key });
    const users = services
      .flatMap((service) => service.configuration)
      .find((file) => file.path === configurationFiles.pgbouncerUsers);
    if (users !== undefined && (await ensureFile(users))) await reload(["pgbouncer.service"]);
  }
  await applyIntent(intent, key, passwords);
}

export const switchPasswords: VerbFunction<"switch-passwords"> = async (input, context) => {
  const deadline = new Deadline(input.deadlineSeconds * 1000);
  const intent = await readOwnIntent(input);
  const [key, passwords, next, isLeader] = await Promise.all([
    readKey(intent),
    readNodePasswords(context, intent, input.names),
    readPasswords(context, input, input.names, input.names),
    leads(intent),
  ]);
  using client = await PeerClient.open();
  const life = input.deadlineSeconds + noticeSecondsExtra;
  const board = await NoticeBoard.open(client, intent, input.switchId, life);
  if (isLeader) {
    await switchRoles(await nextVerifiers(input, next), input, board, deadline);
    await board.post(switched);
  } else {
    await board.post(ready(input.nodeId));
    const missing = await board.awaitAll([switched], deadline);
    if (missing.length > 0)
      throw new NodeFailure("the leader did not change the passwords in time", { code: "not-switched" });
  }
  const startedAt = performance.now();
  await follow(intent, key, passwords);
  return { isLeader, followedMs: performance.now() - startedAt };
};
