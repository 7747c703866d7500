import { rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { backupProgressSchema } from "../../domain/backup/backup.ts";
import { nodePaths } from "../../domain/config/index.ts";
import { account } from "../accounts.ts";
import { NodeFailure } from "../failure.ts";
import { ensureDirectory, readIfPresent, writeJson } from "../files.ts";

const wordSchema = z.strictObject({
  progress: backupProgressSchema.nullable(),
  failure: z.strictObject({ message: z.string(), isFinal: z.boolean() }).nullable(),
});
type Word = z.infer<typeof wordSchema>;

const nothing: Word = { progress: null, failure: null };

/** Where one backup is taken or one database is loaded: a directory of its own, and in it what is said about it. */
export class Workplace {
  readonly directory: string;
  readonly #parent: string;

  private constructor(parent: string, name: string) {
    this.#parent = parent;
    this.directory = join(parent, name);
  }

  static ofDump(backupId: string): Workplace {
    return new Workplace(nodePaths.logicalSpool, backupId);
  }

  static ofLoad(operationId: string): Workplace {
    return new Workplace(nodePaths.logicalLoads, operationId);
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** PostgreSQL's programs read and write below it. */
  async make(): Promise<void> {
    const owner = await account("postgres");
    for (const path of [this.#parent, this.directory]) await ensureDirectory(path, owner, 0o700);
  }

  async tell(bytesDone: number, bytesTotal: number): Promise<void> {
    await this.#write({ ...nothing, progress: { bytesDone: Math.min(bytesDone, bytesTotal), bytesTotal } });
  }

  async fail(error: unknown, isFinal: boolean): Promise<void> {
    await this.#write({ ...nothing, failure: { message: messageOf(error), isFinal } });
  }

  async said(): Promise<Word> {
    const text = await readIfPresent(this.path("standing.json"));
    return text === null ? nothing : wordSchema.parse(JSON.parse(text));
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }

  async #write(word: Word): Promise<void> {
    await writeJson(this.path("standing.json"), word);
  }
}

function messageOf(error: unknown): string {
  const messages: string[] = [];
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) messages.push(cause.message);
  return messages.join(": ") || String(error);
}

/** No other try would come to another end. */
const finalCodes = [
  "backup-damaged",
  "database-not-empty",
  "database-unknown",
  "version-unreadable",
  "no-room",
];

export const isFinal = (error: unknown): boolean =>
  error instanceof NodeFailure && finalCodes.includes(error.code);
