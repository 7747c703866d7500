import type { drillVerbs } from "../../domain/node/drill-verbs.ts";
import { beginVerification, stopVerification, verificationStanding } from "../backup/verification.ts";
import type { VerbFunction } from "../context.ts";
import { beginChecks, checksStanding } from "../drill/unit.ts";
import { withLock } from "../lock.ts";
import { readOwnIntent } from "../own-intent.ts";
import { checkOwn } from "./backup.ts";

/** Two commands about the same thing, of an execution and of the one that takes its place. */
const sameWaitMs = 60_000;

const checkRestored: VerbFunction<"check-restored"> = async (input) => {
  await readOwnIntent(input);
  const { database, operationId, tables } = input;
  return withLock(`drill ${operationId}`, sameWaitMs, async () => {
    const standing = await checksStanding(operationId);
    if (standing.state !== "absent") return standing;
    await beginChecks(operationId, { database, tables });
    return { ...standing, state: "running" };
  });
};

const verifyRepository: VerbFunction<"verify-repository"> = async (input) => {
  await checkOwn(input);
  return withLock(`verify ${input.operationId}`, sameWaitMs, async () => {
    const standing = await verificationStanding(input.operationId);
    if (standing.state === "running" || standing.state === "done") return standing;
    await beginVerification(input.operationId);
    return { state: "running", message: null, found: null };
  });
};

export const drill: { readonly [V in keyof typeof drillVerbs]: VerbFunction<V> } = {
  "check-restored": checkRestored,
  "check-standing": async (input) => {
    await readOwnIntent(input);
    return checksStanding(input.operationId);
  },
  "verify-repository": verifyRepository,
  "verification-standing": async (input) => {
    await checkOwn(input);
    return verificationStanding(input.operationId);
  },
  "stop-verification": async (input) => {
    await checkOwn(input);
    await stopVerification(input.operationId);
    return {};
  },
};
