import { z } from "zod";
import type { FaultEffect } from "../faults.ts";
import type { CallWatch, WatchedCall } from "./front.ts";

/** What the process of the S3 endpoint is started with: paths, no secrets. */
export const endpointArgumentSchema = z.strictObject({
  /** Of the object store. */
  directory: z.string(),
  /** Address to listen on. */
  host: z.string(),
  region: z.string(),
  account: z.string(),
  certificateFile: z.string(),
  identitiesFile: z.string(),
  /** The store of somebody else's that is served beside it. */
  foreign: z
    .strictObject({
      directory: z.string(),
      host: z.string(),
      port: z.int(),
      certificateFile: z.string(),
      identitiesFile: z.string(),
    })
    .optional(),
});
export type EndpointArgument = z.infer<typeof endpointArgumentSchema>;

/** From the endpoint's process to the control plane's. */
export type EndpointMessage =
  | { readonly kind: "ready"; readonly port: number }
  | { readonly kind: "begin"; readonly id: number; readonly call: WatchedCall }
  | {
      readonly kind: "keys";
      readonly id: number;
      readonly call: WatchedCall;
      readonly keys: readonly string[];
    }
  | { readonly kind: "end"; readonly call: Parameters<CallWatch["end"]>[0] };

/** The answers to `begin` and to `keys`. */
export type WatchMessage =
  | { readonly kind: "effects"; readonly id: number; readonly effects: readonly FaultEffect[] }
  | { readonly kind: "refused"; readonly id: number; readonly keys: readonly string[] };
