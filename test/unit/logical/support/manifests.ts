import { type Manifest, type ManifestFile, sealBytes } from "../../../../layers/domain/index.ts";
import { clusterId, idOf, minute } from "../../backup/support/backups.ts";

const sha256 = "0".repeat(64);

function fileOf(name: string, object: number, offset: number, bytes: number): ManifestFile {
  return { name, bytes, segments: [{ object, offset, bytes: bytes + sealBytes, sha256 }] };
}

/** Two databases in two objects. */
export function manifestOf(): Manifest {
  return {
    format: 1,
    clusterId,
    shard: 0,
    backupId: idOf("backup", 1),
    attempt: "0123456789abcdef",
    salt: Buffer.alloc(32).toString("base64"),
    postgresVersion: "17.5",
    pgDumpVersion: "17.5",
    startedAt: minute(1),
    endedAt: minute(2),
    globals: fileOf("globals.sql", 1, 0, 19),
    databases: [
      {
        name: "app",
        sizeBytes: 2000,
        files: [fileOf("toc.dat", 1, 35, 100), fileOf("3357.dat.zst", 1, 151, 84)],
      },
      { name: "postgres", sizeBytes: 1000, files: [fileOf("toc.dat", 2, 0, 109)] },
    ],
    objects: [251, 125],
  };
}
