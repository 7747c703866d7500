/**
 * The process of the S3 endpoint: encryption and digests of whole backups must not keep the API waiting. It ends with its
 * parent, which hears of its calls and says which of them fail.
 */
import { setPriority } from "node:os";
import { ensureKeyFile } from "../../state/key-file.ts";
import type { FaultEffect } from "../faults.ts";
import { Identities } from "../identities.ts";
import { ensureObjectCertificate } from "./certificate.ts";
import { ObjectEndpoint } from "./endpoint.ts";
import { openForeignStore } from "./foreign-store.ts";
import { type CallWatch, S3Front, type WatchedCall } from "./front.ts";
import { type EndpointMessage, endpointArgumentSchema, type WatchMessage } from "./process-messages.ts";
import { ObjectStore } from "./store.ts";

/** The control plane goes first on this machine; a service that stands in for one elsewhere must not. */
const niceness = 0;

/** Asks the control plane, which has the environment's records and faults. */
class DistantWatch implements CallWatch {
  readonly #effects = new Map<number, (effects: readonly FaultEffect[]) => void>();
  readonly #refused = new Map<number, (keys: readonly string[]) => void>();
  #lastId = 0;

  constructor() {
    process.on("message", (message: WatchMessage) => {
      if (message.kind === "effects") settle(this.#effects, message.id, message.effects);
      else settle(this.#refused, message.id, message.keys);
    });
  }

  begin(call: WatchedCall): Promise<readonly FaultEffect[]> {
    const { answer, id } = this.#ask(this.#effects);
    tell({ kind: "begin", id, call });
    return answer;
  }

  refusedKeys(call: WatchedCall, keys: readonly string[]): Promise<readonly string[]> {
    const { answer, id } = this.#ask(this.#refused);
    tell({ kind: "keys", id, call, keys });
    return answer;
  }

  #ask<T>(waiting: Map<number, (value: T) => void>): { readonly answer: Promise<T>; readonly id: number } {
    this.#lastId += 1;
    const { promise, resolve } = Promise.withResolvers<T>();
    waiting.set(this.#lastId, resolve);
    return { answer: promise, id: this.#lastId };
  }

  end(call: Parameters<CallWatch["end"]>[0]): void {
    tell({ kind: "end", call });
  }
}

function settle<T>(waiting: Map<number, (value: T) => void>, id: number, value: T): void {
  waiting.get(id)?.(value);
  waiting.delete(id);
}

function tell(message: EndpointMessage): void {
  if (process.connected) process.send?.(message);
}

function complain(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
}

async function main(): Promise<void> {
  const { directory, host, region, account, certificateFile, identitiesFile, foreign } =
    endpointArgumentSchema.parse(JSON.parse(process.argv[2] ?? "{}"));
  setPriority(niceness);
  const store = await ObjectStore.open({ directory, writer: "endpoint" });
  const endpoint = new ObjectEndpoint({
    front: new S3Front({ store, watch: new DistantWatch(), onError: complain }),
    identities: new Identities({ key: await ensureKeyFile(identitiesFile), account }),
    certificate: await ensureObjectCertificate(certificateFile, region),
    onError: complain,
  });
  if (foreign !== undefined) await openForeignStore(foreign, complain);
  tell({ kind: "ready", port: await endpoint.listen(host) });
}

process.once("disconnect", () => process.exit(0));
await main();
