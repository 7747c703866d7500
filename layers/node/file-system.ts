import { z } from "zod";
import { nodePaths } from "../domain/config/index.ts";
import { NodeFailure } from "./failure.ts";
import { run } from "./process.ts";

/** Writing the structures of a file system of 16 TiB. */
const formatTimeoutMs = 300_000;
/** ext4 writes the structures of the new part before it answers. */
const growTimeoutMs = 300_000;
/** blkid: nothing known is on the device. */
const blank = 2;

/** What blkid finds on a device; null on a blank one. */
async function contentOf(device: string): Promise<string | null> {
  const found = await run("blkid", ["--probe", "--output", "export", device], { answers: [blank] });
  if (found.code === blank) return null;
  return /^(?:PT)?TYPE=(.*)$/m.exec(found.stdout)?.[1] ?? "something unknown";
}

/**
 * A device with anything on it is never formatted. New ones get XFS, which grows while it is in use; ext4 is what
 * volumes of earlier clusters hold.
 */
export async function ensureFileSystem(device: string): Promise<void> {
  const content = await contentOf(device);
  if (content === "xfs" || content === "ext4") return;
  if (content !== null) {
    throw new NodeFailure(`the volume is neither blank nor pgherd's: it holds ${content}`, {
      code: "volume-in-use",
    });
  }
  await run("mkfs.xfs", ["-q", "-K", "-L", "pgherd-data", device], { timeoutMs: formatTimeoutMs });
}

/** Grows the mounted file system over its whole device. */
export async function growFileSystem(device: string): Promise<void> {
  const content = await contentOf(device);
  switch (content) {
    case "xfs":
      await run("xfs_growfs", ["-d", nodePaths.data], { timeoutMs: growTimeoutMs });
      return;
    case "ext4":
      await run("resize2fs", [device], { timeoutMs: growTimeoutMs });
      return;
    default:
      throw new NodeFailure(`the volume holds ${content ?? "nothing"}, which cannot be grown`, {
        code: "volume-in-use",
      });
  }
}

/** How much of the device the file system covers, with what it needs for itself. */
export async function fileSystemBytes(device: string): Promise<number> {
  const content = await contentOf(device);
  return content === "xfs"
    ? xfsBytes((await run("xfs_info", [nodePaths.data])).stdout)
    : ext4Bytes((await run("dumpe2fs", ["-h", device])).stdout);
}

export function xfsBytes(info: string): number {
  return product(/^data\s*=\s*bsize=(\d+)\s+blocks=(\d+)/m.exec(info), "xfs_info");
}

export function ext4Bytes(info: string): number {
  const [blocks, size] = [/^Block count:\s*(\d+)$/m.exec(info), /^Block size:\s*(\d+)$/m.exec(info)];
  return product([blocks?.[0] ?? "", blocks?.[1] ?? "", size?.[1] ?? ""], "dumpe2fs");
}

function product(match: readonly string[] | null, program: string): number {
  const bytes = Number(match?.[1]) * Number(match?.[2]);
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  throw new NodeFailure(`${program} does not say how large the file system is`, {
    code: "unexpected-output",
  });
}

export async function deviceBytes(device: string): Promise<number> {
  const { stdout } = await run("blockdev", ["--getsize64", device]);
  return Number(stdout.trim());
}

/** Volumes grow by whole GiB; a remainder too small for a group of blocks of its own stays unused. */
const unusedBytesMax = 1024 ** 3;

/** Whether there is nothing left on the device that the file system could grow over. */
export function fills(fileSystem: number, device: number): boolean {
  return device - fileSystem < unusedBytesMax;
}

const mountsSchema = z.object({ filesystems: z.array(z.object({ source: z.string() })).min(1) });

/** A volume that was grown is larger than its file system until that is grown, too. */
export async function isFilled(): Promise<boolean> {
  const { stdout } = await run("findmnt", ["--json", "--output", "SOURCE", nodePaths.data]);
  const [mount] = mountsSchema.parse(JSON.parse(stdout)).filesystems;
  if (mount === undefined) return true;
  return fills(await fileSystemBytes(mount.source), await deviceBytes(mount.source));
}
