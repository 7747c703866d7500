import { mkdtemp, rm } from "node:fs/promises";
import { createServer as createPlainServer } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import type { BackupStore, StoreKeys } from "../../../../layers/domain/index.ts";
import type { Credentials } from "../../../../local/endpoints/identities.ts";
import {
  foreignBucket,
  foreignCertificate,
  foreignIdentities,
  foreignRegion,
  openForeignStore,
} from "../../../../local/endpoints/s3/foreign-store.ts";
import type { ObjectStore } from "../../../../local/endpoints/s3/store.ts";

export const credentialsParameter = "/pgherd/test/stores/elsewhere";

const host = "127.0.0.1";

/** A store of somebody else's: TLS, signatures and all. */
export interface Elsewhere extends AsyncDisposable {
  readonly objects: ObjectStore;
  readonly store: BackupStore;
  readonly keys: StoreKeys;
  /** A key of the same account that goes with a token. */
  readonly session: (lifetimeSeconds: number) => StoreKeys;
}

/** From now on this process knows the authority of its certificate as it knows public ones. */
export async function openElsewhere(isTrusted = true): Promise<Elsewhere> {
  const directory = await mkdtemp(join(tmpdir(), "pgherd-elsewhere-"));
  const place = {
    directory,
    host,
    port: 0,
    certificateFile: join(directory, "certificate.pem"),
    identitiesFile: join(directory, "identities"),
  };
  const served = await openForeignStore(place, () => undefined);
  if (isTrusted) trust((await foreignCertificate(place)).authority);
  const identities = await foreignIdentities(place.identitiesFile);
  const store: BackupStore = {
    endpoint: `https://${host}:${served.port}`,
    bucket: foreignBucket,
    region: foreignRegion,
    pathStyle: true,
    credentialsParameter,
  };
  return {
    objects: served.store,
    store,
    keys: keysOf(identities.operator()),
    session: (lifetimeSeconds) =>
      keysOf(identities.issue({ roleName: "archivist", sessionName: "pgherd", lifetimeSeconds })),
    [Symbol.asyncDispose]: async () => {
      await served.close();
      await rm(directory, { recursive: true });
    },
  };
}

function trust(authority: string): void {
  setDefaultCACertificates([...getCACertificates("default"), authority]);
}

const keysOf = ({ accessKeyId, secretAccessKey, sessionToken }: Credentials): StoreKeys => ({
  accessKeyId,
  secretAccessKey,
  ...(sessionToken === null ? {} : { sessionToken }),
});

/** A port on which nobody listens. */
export async function deadPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A server without TLS. */
export async function openPlain(): Promise<{ readonly port: number } & Disposable> {
  const server = createPlainServer((_request, response) => response.end("hello"));
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.dispose]: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Parameter Store with what a test puts there. */
export function parameters(values: Readonly<Record<string, unknown>>) {
  const texts = new Map(
    Object.entries(values).map(([name, value]) => [
      name,
      typeof value === "string" ? value : JSON.stringify(value),
    ]),
  );
  return {
    find: async (name: string) => texts.get(name) ?? null,
    readSecrets: async (names: readonly string[]) =>
      new Map(names.flatMap((name) => (texts.has(name) ? [[name, texts.get(name) ?? ""] as const] : []))),
  };
}
