import { z } from "zod";
import { inPlacePaths } from "../../domain/config/index.ts";
import { ensureFile, readIfPresent, root } from "../files.ts";

/** What an operation has come to on this node. It lies on the volume, and outlives the machine. */
const noteSchema = z.strictObject({
  /** The backup is copied whole. */
  isCopied: z.boolean().default(false),
  /** PostgreSQL came to its target, and was told passwords and logins. */
  reached: z
    .strictObject({
      timeline: z.int(),
      history: z.array(z.strictObject({ timeline: z.int(), lsn: z.string() })),
    })
    .nullable()
    .default(null),
  /** The operation whose kept data was taken. */
  tookFrom: z.string().nullable().default(null),
  /** The youngest timeline that was archived from the data which was brought, and is put away again. */
  archivedTimeline: z.int().nullable().default(null),
});
export type Note = z.infer<typeof noteSchema>;

export async function readNote(operationId: string): Promise<Note> {
  const text = await readIfPresent(inPlacePaths(operationId).note);
  return noteSchema.parse(text === null ? {} : JSON.parse(text));
}

export async function writeNote(operationId: string, change: Partial<Note>): Promise<Note> {
  const note = { ...(await readNote(operationId)), ...change };
  const content = JSON.stringify(note);
  await ensureFile({ path: inPlacePaths(operationId).note, content, owner: root, mode: 0o600 });
  return note;
}
