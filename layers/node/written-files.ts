import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { z } from "zod";
import { ensureFile, type FileIntent, readIfPresent, root } from "./files.ts";

/** How `configure` left its files, by hash: whoever compares needs none of the passwords that are in them. */
const recordPath = "/var/lib/pgherd/written.json";

const writtenSchema = z.record(
  z.string(),
  z.strictObject({ sha256: z.string(), uid: z.int(), gid: z.int(), mode: z.int() }),
);

const sha256 = (content: string): string => createHash("sha256").update(content).digest("hex");

export async function rememberWritten(files: readonly FileIntent[], path = recordPath): Promise<void> {
  const written = Object.fromEntries(
    files.map(({ path: file, content, owner, mode }) => [
      file,
      { sha256: sha256(content), uid: owner.uid, gid: owner.gid, mode },
    ]),
  );
  await ensureFile({ path, content: JSON.stringify(written), owner: root, mode: 0o600 });
}

/** Files that are not as `configure` left them: changed, gone, or readable by others. */
export async function changedSince(path = recordPath): Promise<string[]> {
  const text = await readIfPresent(path);
  if (text === null) return [];
  const written = Object.entries(writtenSchema.parse(JSON.parse(text)));
  const changed = await Promise.all(
    written.map(async ([file, as]) => {
      const content = await readIfPresent(file);
      if (content === null || sha256(content) !== as.sha256) return [file];
      const { uid, gid, mode } = await stat(file);
      return uid === as.uid && gid === as.gid && (mode & 0o7777) === as.mode ? [] : [file];
    }),
  );
  return changed.flat().toSorted();
}
