import type { Collection, Documents } from "../../state/documents.ts";
import { type Policy, readPolicy } from "./policy.ts";

interface StoredBoundary {
  readonly document: string;
}

/** Managed policies of templates that are the most that a role may do, by their ARNs. */
export class Boundaries {
  readonly #stored: Collection<StoredBoundary>;

  constructor(documents: Documents) {
    this.#stored = documents.collection("iam-boundaries");
  }

  /** @throws {ServiceError} for one that says what this environment does not know. */
  put(arn: string, document: string): void {
    readPolicy(document);
    this.#stored.put(arn, { document });
  }

  delete(arn: string): void {
    this.#stored.delete(arn);
  }

  /** Null where there is none. */
  documentOf(arn: string): string | null {
    return this.#stored.get(arn)?.document ?? null;
  }
}

/** What a boundary says that is not there any more. */
export const nothing: Policy = { Version: "2012-10-17", Statement: [] };
