import { volumeDevice } from "../../domain/config/index.ts";
import type { VerbFunction } from "../context.ts";
import { Deadline } from "../deadline.ts";
import { NodeFailure } from "../failure.ts";
import { deviceBytes, fileSystemBytes, fills, growFileSystem } from "../file-system.ts";

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
  const sizeBytes = await fileSystemBytes(device);
  if (fills(sizeBytes, await deviceBytes(device))) return { sizeBytes };
  throw new NodeFailure(
    `the file system covers ${sizeBytes} bytes of volume ${volumeId}, and not all of it`,
    {
      code: "volume-not-grown",
    },
  );
};
