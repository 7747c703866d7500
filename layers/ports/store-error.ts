import type { StoreFault } from "../domain/backup/store-fault.ts";

/** A store of somebody else's does not do what is asked of it. The message is for people and quotes no secret. */
export class StoreError extends Error {
  readonly code = "store-fault";
  readonly fault: StoreFault;

  constructor(message: string, options: { readonly fault: StoreFault; readonly cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "StoreError";
    this.fault = options.fault;
  }
}
