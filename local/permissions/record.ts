import { appendFile } from "node:fs/promises";
import { z } from "zod";
import { readIfThere, writeAtomically } from "../environment/files.ts";
import type { PermissionUse } from "./use.ts";

const textsSchema = z.record(z.string(), z.string());
const useSchema = z.strictObject({
  kind: z.literal("use"),
  role: z.string(),
  action: z.string(),
  resource: z.string(),
  circumstances: textsSchema,
});
const stageSchema = z.strictObject({
  kind: z.literal("stage"),
  region: z.string(),
  account: z.string(),
  /** Stack name and logical id → what the resource answers to `Ref` and `Fn::GetAtt`. */
  resources: z.record(z.string(), z.strictObject({ ref: z.string(), attributes: textsSchema })),
});
/** More kinds came than there is room for: what stands before is not everything. */
const fullSchema = z.strictObject({ kind: z.literal("full") });
const lineSchema = z.discriminatedUnion("kind", [useSchema, stageSchema, fullSchema]);
type Line = z.infer<typeof lineSchema>;
export type RecordedStage = Omit<z.infer<typeof stageSchema>, "kind">;

/** A test run with hundreds of clusters comes to some two thousand; a line has some hundred bytes. */
const kindsMax = 10_000;
const ownerOnly = 0o600;

/**
 * Which permissions the roles of this environment have used, as a file of JSON lines: the first use of each kind.
 * Uses are of one kind when they differ in nothing but ids and numbers, so the file ends growing when nothing new
 * happens. It has names, ARNs and tags, and nothing of what a call carried.
 */
export class PermissionRecord {
  readonly #file: string;
  readonly #onError: (error: unknown) => void;
  readonly #known: Set<string>;
  #lines: string[] = [];
  #writing: Promise<void> | null = null;

  private constructor(file: string, known: Set<string>, onError: (error: unknown) => void) {
    this.#file = file;
    this.#known = known;
    this.#onError = onError;
  }

  /** Goes on with what an earlier control plane wrote, without the line that it may have died at. */
  static async open(file: string, onError: (error: unknown) => void): Promise<PermissionRecord> {
    const text = (await readIfThere(file)) ?? "";
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    if (whole !== text) await writeAtomically(file, whole, ownerOnly);
    return new PermissionRecord(file, new Set(parseRecord(whole).map(kindOf)), onError);
  }

  note(use: PermissionUse): void {
    this.#add({ kind: "use", ...use });
  }

  /** What names stand for in this environment; the newest one holds. */
  deployed(stage: RecordedStage): void {
    this.#add({ kind: "stage", ...stage });
  }

  /** Resolves when everything that was noted is in the file. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  #add(line: Line): void {
    const kind = kindOf(line);
    if (this.#known.has(kind) || this.#known.size > kindsMax) return;
    this.#known.add(kind);
    this.#lines.push(JSON.stringify(this.#known.size > kindsMax ? { kind: "full" } : line));
    this.#writing ??= this.#write();
  }

  async #write(): Promise<void> {
    // What comes with one call is written together.
    await Promise.resolve();
    while (this.#lines.length > 0) {
      const lines = this.#lines.splice(0);
      try {
        await appendFile(this.#file, `${lines.join("\n")}\n`, { mode: ownerOnly });
      } catch (error) {
        // The disk is full, or the directory gone. What is seen again is written again.
        this.#known.clear();
        this.#onError(error);
      }
    }
    this.#writing = null;
  }
}

/** @throws for what is no record. */
export function parseRecord(text: string): Line[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => lineSchema.parse(JSON.parse(line)));
}

function kindOf(line: Line): string {
  switch (line.kind) {
    case "use": {
      const text = `${line.action} ${line.resource} ${JSON.stringify(line.circumstances)}`;
      // Nodes of all clusters are one kind, and what one of them does to another cluster is another kind.
      const own = /clu_[0-9A-Z]{26}$/.exec(line.role)?.[0];
      if (own === undefined) return `${line.role} ${shapeOf(text)}`;
      return `${line.role.replace(own, "(own)")} ${shapeOf(text.replaceAll(own, "(own)"))}`;
    }
    case "stage":
      return JSON.stringify(line);
    case "full":
      return line.kind;
  }
}

/** ULIDs, digests and names of WAL segments, ids as EC2 writes them, and numbers. */
const ids = /[0-9A-HJKMNP-TV-Z]{26}|[0-9a-fA-F]{16,}|(?<=-)[0-9a-f]{8,}|\d{2,}/g;

function shapeOf(text: string): string {
  return text.replaceAll(ids, "#");
}
