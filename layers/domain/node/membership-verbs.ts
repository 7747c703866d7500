import { z } from "zod";
import { clusterIdSchema, nodeIdSchema } from "../ids.ts";

/** Joining and leaving: etcd members, clones, volumes. */
export const membershipVerbs = {
  /** Grows the file system over the whole volume, which `sizeGiB` says the new size of; one that fills it is success. */
  "grow-filesystem": {
    input: z.strictObject({
      clusterId: clusterIdSchema,
      nodeId: nodeIdSchema,
      volumeId: z.string(),
      sizeGiB: z.int().min(1),
    }),
    output: z.strictObject({ sizeBytes: z.int().min(0) }),
  },
} as const;
