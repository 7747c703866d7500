import { volumeDevice } from "../../domain/config/index.ts";
import type { VerbFunction } from "../context.ts";
import { Deadline } from "../deadline.ts";
import { NodeFailure } from "../failure.ts";
import { deviceBytes, fileSystemBytes, growFileSystem } from "../file-system.ts";

/** A node sees the new size of its volume within seconds. */
const volumeDeadlineMs = 60_000;
const pollMs = 500;
const bytesPerGiB = 1024 ** 3;

/** Everything goes on while it grows: it neither stops nor slows what reads and writes. */
export const growFilesystem: VerbFunction<"grow-filesystem"> = async ({ volumeId, sizeGiB }) => {
  const device = volumeDevice(volumeId);
  await new Deadline(volumeDeadlineMs).until(
    async () => ((await deviceBytes(device)) >= sizeGiB * bytesPerGiB ? true : null),
    () =>
      new NodeFailure(`volume ${volumeId} does not have ${sizeGiB} GiB on the node yet`, {
        code: "volume-not-grown",
      }),
    pollMs,
  );
  await growFileSystem(device);
  return { sizeBytes: await fileSystemBytes(device) };
};
