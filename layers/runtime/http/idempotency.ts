import { createHash } from "node:crypto";
import { Problem } from "../../domain/problems.ts";
import type { IdempotencyRecord, Store } from "../../ports/store.ts";
import type { Answer } from "./route.ts";

/** Longer than any client keeps trying; after it a key means nothing and can be used anew. */
export const retentionHours = 24;
export const keyPattern = /^[\x21-\x7e]{1,128}$/;

/** @throws {Problem} `invalid-request` naming the header */
export function checkKey(key: string): void {
  if (keyPattern.test(key)) return;
  throw new Problem("invalid-request", "The Idempotency-Key is not valid.", {
    errors: [
      {
        path: "Idempotency-Key",
        message: "must be 1 to 128 printable ASCII characters without spaces",
      },
    ],
  });
}

/** An answer as bytes. */
export interface WrittenAnswer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

export function write(answer: Answer): WrittenAnswer {
  const { status, body, headers = {}, contentType } = answer;
  const text = contentType !== undefined && typeof body === "string" ? body : JSON.stringify(body);
  return { status, body: text, headers: { "content-type": contentType ?? "application/json", ...headers } };
}

export interface RequestIdentity {
  readonly principal: string;
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, readonly string[]>>;
  readonly body: unknown;
}

/**
 * Runs a mutation once per (principal, key). The record is written in the same transaction as the mutation, so of two
 * calls at once one does the work and the other one reads what it answered: also where it would be refused for what the
 * first one has begun. Refusals are not remembered: they change nothing, and the reason may be gone next time.
 */
export async function once(
  records: Pick<Store, "readIdempotencyRecord">,
  key: string,
  identity: RequestIdentity,
  run: (remember: (answer: Answer) => IdempotencyRecord) => Promise<Answer>,
): Promise<WrittenAnswer> {
  const requestHash = hashOf(identity);
  const before = await records.readIdempotencyRecord(identity.principal, key);
  if (before !== null) return replay(before, requestHash);
  try {
    const answer = await run((given) => {
      const expiresAt = Math.floor(Date.now() / 1000) + retentionHours * 3600;
      return { principal: identity.principal, key, requestHash, expiresAt, ...write(given) };
    });
    return write(answer);
  } catch (error) {
    const first = await records.readIdempotencyRecord(identity.principal, key);
    if (first === null) throw error;
    return replay(first, requestHash);
  }
}

function replay(record: IdempotencyRecord, requestHash: string): WrittenAnswer {
  if (record.requestHash !== requestHash) {
    throw new Problem(
      "idempotency-key-reused",
      `This Idempotency-Key belongs to another request of the last ${retentionHours} hours: use a new one.`,
    );
  }
  const headers = { ...record.headers, "idempotent-replayed": "true" };
  return { status: record.status, body: record.body, headers };
}

/** The order of fields and white space do not make another request. */
function hashOf({ principal: _principal, ...request }: RequestIdentity): string {
  return createHash("sha256").update(canonical(request)).digest("base64url");
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "absent";
  const fields = Object.entries(value).toSorted(([left], [right]) => (left < right ? -1 : 1));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join(",")}}`;
}
