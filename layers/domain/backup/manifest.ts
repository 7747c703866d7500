import { z } from "zod";
import { backupIdSchema, clusterIdSchema } from "../ids.ts";

/**
 * What a logical backup consists of: for each database the files of pg_dump's directory format, cut into segments that
 * are sealed one by one, and objects that hold some segments each. It is written last: without it there is no backup.
 */

/** What sealing adds to a segment. */
export const sealBytes = 16;

const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/);

const segmentSchema = z.strictObject({
  /** Number of the object, and where in it the segment begins. */
  object: z.int().min(1),
  offset: z.int().min(0),
  /** As it is stored. */
  bytes: z.int().min(sealBytes + 1),
  /** Of what is stored. */
  sha256: sha256Schema,
});
export type Segment = z.infer<typeof segmentSchema>;

const fileSchema = z.strictObject({
  /** As pg_dump calls it. */
  name: z.string().regex(/^[A-Za-z0-9_]+(?:\.[A-Za-z0-9]+)+$/),
  /** Before sealing. */
  bytes: z.int().min(0),
  segments: z.array(segmentSchema),
});
export type ManifestFile = z.infer<typeof fileSchema>;

const databaseSchema = z.strictObject({
  name: z.string().min(1),
  /** On the volume, indexes included, when it was dumped. */
  sizeBytes: z.int().min(0),
  files: z.array(fileSchema).min(1),
});
export type ManifestDatabase = z.infer<typeof databaseSchema>;

/** A change of what this says is another format. */
const formatNumber = 1;

export const manifestSchema = z.strictObject({
  format: z.literal(formatNumber),
  clusterId: clusterIdSchema,
  shard: z.int().min(0),
  backupId: backupIdSchema,
  /** Tells its objects from those of tries that came to nothing. */
  attempt: z.string().regex(/^[0-9a-f]{16}$/),
  /** What the keys are derived with, beside the cluster's pass. */
  salt: z.base64(),
  postgresVersion: z.string(),
  pgDumpVersion: z.string(),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime(),
  /** Roles, without passwords. */
  globals: fileSchema,
  databases: z.array(databaseSchema),
  /** Bytes of each object, the first one's first. */
  objects: z.array(z.int().min(1)),
});
export type Manifest = z.infer<typeof manifestSchema>;

/** What is stored: whoever does not know the cluster's pass cannot make a mac that fits. */
export const signedManifestSchema = z.strictObject({ manifest: z.unknown(), mac: sha256Schema });

/** The table of contents, without which nobody can make anything of the other files. */
export const contentsFile = "toc.dat";

/** Beside the shard's pgBackRest repository, which never looks there. Keys of S3 begin without a slash. */
export function logicalPrefix(repository: { readonly prefix: string }, backupId: string): string {
  return `${repository.prefix.slice(1)}/logical/${backupId}/`;
}

export const manifestKey = (prefix: string): string => `${prefix}manifest.json`;

const numberDigits = 8;
export function objectKey(prefix: string, attempt: string, number: number): string {
  return `${prefix}${attempt}/${String(number).padStart(numberDigits, "0")}`;
}

/** What is wrong with a manifest that has the right form; null: nothing. */
export function checkManifest(manifest: Manifest): string | null {
  const names = manifest.databases.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) return `database "${twice}" is in it twice`;
  for (const { files, name } of manifest.databases) {
    const complaint = checkFiles(files);
    if (complaint !== null) return `of database "${name}", ${complaint}`;
    if (!files.some((file) => file.name === contentsFile)) return `database "${name}" has no ${contentsFile}`;
  }
  const globals = checkFiles([manifest.globals]);
  return globals ?? checkObjects(manifest);
}

function checkFiles(files: readonly ManifestFile[]): string | null {
  const known = new Set<string>();
  for (const { bytes, name, segments } of files) {
    if (known.has(name)) return `file ${name} is in it twice`;
    known.add(name);
    const sum = segments.reduce((total, segment) => total + segment.bytes - sealBytes, 0);
    if (sum !== bytes) return `file ${name} has ${bytes} bytes, and its segments have ${sum}`;
  }
  return null;
}

/** Every byte of every object belongs to exactly one segment. */
function checkObjects({ databases, globals, objects }: Manifest): string | null {
  const filled = objects.map(() => 0);
  const segments = [globals, ...databases.flatMap(({ files }) => files)]
    .flatMap((file) => file.segments)
    .toSorted((left, right) => left.object - right.object || left.offset - right.offset);
  for (const { bytes, object, offset } of segments) {
    if (filled[object - 1] !== offset) return `object ${object} has a gap or an overlap at ${offset}`;
    filled[object - 1] = offset + bytes;
  }
  const wrong = objects.findIndex((bytes, index) => filled[index] !== bytes);
  return wrong < 0 ? null : `object ${wrong + 1} does not have the bytes of its segments`;
}
