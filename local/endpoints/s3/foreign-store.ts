import { ensureKeyFile } from "../../state/key-file.ts";
import { Identities } from "../identities.ts";
import { ensureCertificate } from "./certificate.ts";
import { ObjectEndpoint } from "./endpoint.ts";
import { type CallWatch, S3Front } from "./front.ts";
import { ObjectStore } from "./store.ts";

/**
 * A store of somebody else's: another bucket, in another account, behind another certificate. The environment's own keys
 * open nothing here, and nothing that is called here is the environment's to record or to make fail.
 */

/** Paths, no secrets. */
export interface ForeignStorePlace {
  readonly directory: string;
  readonly host: string;
  /** 0: any. */
  readonly port: number;
  readonly certificateFile: string;
  readonly identitiesFile: string;
}

export const foreignBucket = "somebody-elses";
export const foreignRegion = "elsewhere-1";
const foreignAccount = "111111111111";

/** Who may use it. */
export async function foreignIdentities(identitiesFile: string): Promise<Identities> {
  return new Identities({ key: await ensureKeyFile(identitiesFile), account: foreignAccount });
}

export const foreignCertificate = ({ certificateFile, host }: ForeignStorePlace) =>
  ensureCertificate(certificateFile, host);

export const unwatched: CallWatch = { begin: () => [], refusedKeys: () => [], end: () => undefined };

export async function openForeignStore(
  place: ForeignStorePlace,
  onError: (error: unknown) => void,
): Promise<{ readonly port: number; readonly store: ObjectStore; close(): Promise<void> }> {
  const store = await ObjectStore.open({ directory: place.directory, writer: "endpoint" });
  await store.ensureBucket(foreignBucket);
  const endpoint = new ObjectEndpoint({
    front: new S3Front({ store, watch: unwatched, onError }),
    identities: await foreignIdentities(place.identitiesFile),
    certificate: await foreignCertificate(place),
    onError,
  });
  const port = await endpoint.listen(place.host, place.port);
  const close = async (): Promise<void> => {
    await endpoint.close();
    store.close();
  };
  return { port, store, close };
}
