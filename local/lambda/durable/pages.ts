import { isEnded, type Operations } from "./machine.ts";
import type { OperationRecord } from "./types.ts";
import { type DurableEvent, encodeOperation, type TimeFormat } from "./wire.ts";

/** An invocation's event carries this many bytes of operations at most; the rest is asked for page by page. */
const initialBytesMax = 4 * 1024 * 1024;
const pageItemsMax = 1_000;

/** What an invocation begins with. */
export function initialState(operations: Operations): DurableEvent["InitialExecutionState"] {
  const visible = visibleOperations(operations);
  const page: Record<string, unknown>[] = [];
  let bytes = 0;
  for (const operation of visible) {
    const encoded = encodeOperation(operation, "iso");
    bytes += Buffer.byteLength(JSON.stringify(encoded));
    if (page.length > 0 && (bytes > initialBytesMax || page.length >= pageItemsMax)) {
      return { Operations: page, NextMarker: String(page.length) };
    }
    page.push(encoded);
  }
  return { Operations: page };
}

export function executionPage(
  operations: Operations,
  marker: string | null,
  itemsMax: number | null,
  format: TimeFormat,
): Record<string, unknown> {
  const visible = visibleOperations(operations);
  const start = marker === null ? 0 : Number(marker);
  const end = start + Math.min(itemsMax ?? pageItemsMax, pageItemsMax);
  return {
    Operations: visible.slice(start, end).map((operation) => encodeOperation(operation, format)),
    ...(end < visible.length ? { NextMarker: String(end) } : {}),
  };
}

/** In the order of their starts, without the children of contexts that ended and need them no more. */
function visibleOperations(operations: Operations): readonly OperationRecord[] {
  return [...operations.values()]
    .filter((operation) => !isHidden(operations, operation))
    .sort((a, b) => a.sequence - b.sequence);
}

function isHidden(operations: Operations, operation: OperationRecord): boolean {
  let parent = operation.parentId === undefined ? undefined : operations.get(operation.parentId);
  while (parent !== undefined) {
    if (parent.type === "CONTEXT" && isEnded(parent.status) && parent.replayChildren !== true) return true;
    parent = parent.parentId === undefined ? undefined : operations.get(parent.parentId);
  }
  return false;
}
