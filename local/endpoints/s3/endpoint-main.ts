/**
 * The process of the S3 endpoint: encryption and digests of whole backups must not keep the API waiting. It ends with its
 * parent, which hears of its calls and says which of them fail.
 */
import { setPriority } from "node:os";
import { ensureKeyFile } from "../../state/key-file.ts";
import { Identities } from "../identities.ts";
import { ensureObjectCertificate } from "./certificate.ts";
import { ObjectEndpoint } from "./endpoint.ts";
import { openForeignStore } from "./foreign-store.ts";
import { type CallWatch, S3Front } from "./front.ts";
import { type EffectsMessage, type EndpointMessage, endpointArgumentSchema } from "./process-messages.ts";
import { ObjectStore } from "./store.ts";

/** The control plane goes first on this machine; a service that stands in for one elsewhere must not. */
const niceness = 0;

/** Asks the control plane, which has the environment's records and faults. */
class DistantWatch implements CallWatch {
  readonly #waiting = new Map<number, (effects: EffectsMessage["effects"]) => void>();
  #lastId = 0;

  constructor() {
    process.on("message", ({ id, effects }: EffectsMessage) => {
      this.#waiting.get(id)?.(effects);
      this.#waiting.delete(id);
    });
  }

  begin(call: Parameters<CallWatch["begin"]>[0]): Promise<EffectsMessage["effects"]> {
    this.#lastId += 1;
    const id = this.#lastId;
    const { promise, resolve } = Promise.withResolvers<EffectsMessage["effects"]>();
    this.#waiting.set(id, resolve);
    tell({ kind: "begin", id, call });
    return promise;
  }

  end(call: Parameters<CallWatch["end"]>[0]): void {
    tell({ kind: "end", call });
  }
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
