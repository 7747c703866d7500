import { TransactionCanceledException } from "@aws-sdk/client-dynamodb";
import { TransactWriteCommand, type TransactWriteCommandInput } from "@aws-sdk/lib-dynamodb";
import type { Table } from "./client.ts";

type TransactWrite = NonNullable<TransactWriteCommandInput["TransactItems"]>[number];

/** The item that a condition refused, in DynamoDB's own notation. */
export type RefusedItem = Record<string, { S?: string | undefined } | undefined>;

/** One write of a transaction and what its condition's refusal means. */
export interface Write {
  readonly write: TransactWrite;
  /** Absent where the condition cannot fail. */
  readonly refused?: (existing: RefusedItem | undefined, cause: unknown) => Error;
}

/** Two writers met on one item: DynamoDB cancels one of them, which may try again at once. */
const transientReasons = new Set(["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]);
/** Six tries with doubling pauses span about half a second, far longer than any transaction of ours. */
const attemptsMax = 6;
const pauseMsBase = 8;

/**
 * All of the writes or none. The order of `writes` is the order of precedence when several conditions refuse.
 */
export async function transact(table: Table, writes: readonly Write[]): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await table.client.send(new TransactWriteCommand({ TransactItems: writes.map((one) => one.write) }));
      return;
    } catch (error) {
      if (!(error instanceof TransactionCanceledException)) throw error;
      const refusal = refusalOf(error, writes);
      if (refusal !== null) throw refusal;
      if (!isTransient(error) || attempt === attemptsMax) throw error;
      await pause(attempt);
    }
  }
}

function refusalOf(error: TransactionCanceledException, writes: readonly Write[]): Error | null {
  for (const [index, reason] of (error.CancellationReasons ?? []).entries()) {
    if (reason.Code !== "ConditionalCheckFailed") continue;
    return writes[index]?.refused?.(reason.Item, error) ?? error;
  }
  return null;
}

function isTransient(error: TransactionCanceledException): boolean {
  return (error.CancellationReasons ?? []).some((reason) => transientReasons.has(reason.Code ?? ""));
}

/** Random, so that two writers which met do not meet again. */
function pause(attempt: number): Promise<void> {
  const longest = pauseMsBase * 2 ** attempt;
  return new Promise((resolve) => setTimeout(resolve, longest * (0.5 + Math.random() / 2)));
}
