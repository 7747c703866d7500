import { createHash } from "node:crypto";
import type { Collection, Documents } from "../state/documents.ts";

/** What an earlier deployment made. */
export interface RecordedResource {
  /** Stack name and logical id; of a predecessor that was replaced, with what it was. */
  readonly key: string;
  readonly type: string;
  readonly ref: string;
  /** Left alone when its resource leaves the template. */
  readonly retain: boolean;
  /** Left alone when its resource becomes another one in the template. */
  readonly retainReplaced: boolean;
  /** Of type and resolved properties. */
  readonly hash: string;
}

export interface MadeResource {
  /** Stack name and logical id. */
  readonly key: string;
  readonly type: string;
  readonly properties: unknown;
  readonly ref: string;
  readonly retain: boolean;
  readonly retainReplaced: boolean;
}

/** Remembers over deployments what was made, so that what left the template can be removed. */
export class ResourceRecords {
  readonly #documents: Documents;
  readonly #records: Collection<RecordedResource>;
  readonly #made = new Set<string>();
  readonly #refs = new Set<string>();

  constructor(documents: Documents) {
    this.#documents = documents;
    this.#records = documents.collection("stack-resources");
  }

  /** @returns whether it is new or other than at the last deployment. */
  put(made: MadeResource): boolean {
    const { properties, ...kept } = made;
    const { key } = made;
    const hash = createHash("sha256")
      .update(JSON.stringify([made.type, properties]))
      .digest("hex");
    const previous = this.#records.get(key);
    this.#documents.transaction(() => {
      // Kept as a record of its own, so that a crash before its removal does not forget it.
      if (previous !== undefined && identity(previous) !== identity(made)) {
        const old = `${key}#${identity(previous)}`;
        this.#records.put(old, { ...previous, key: old, retain: previous.retainReplaced });
      }
      this.#records.put(key, { ...kept, hash });
    });
    this.#made.add(key);
    this.#refs.add(identity(made));
    return previous?.hash !== hash;
  }

  /**
   * What earlier deployments made and this one did not, with whether to remove it. A thing that goes by another
   * logical id now is the same thing: its record goes and it stays.
   */
  gone(): readonly { readonly record: RecordedResource; readonly remove: boolean }[] {
    return this.#records
      .list()
      .filter((record) => !this.#made.has(record.key))
      .map((record) => ({ record, remove: !record.retain && !this.#refs.has(identity(record)) }));
  }

  forget(record: RecordedResource): void {
    this.#records.delete(record.key);
  }
}

function identity({ type, ref }: { readonly type: string; readonly ref: string }): string {
  return `${type} ${ref}`;
}
