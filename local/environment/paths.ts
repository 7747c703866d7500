import { join, resolve } from "node:path";

/** Everything of one environment lies below its state directory; what can be made again lies in the cache. */
export interface EnvironmentPaths {
  readonly state: string;
  readonly cache: string;
  /** The choices made once for this state directory. */
  readonly settings: string;
  /** For scripts: where the API is and which processes serve it. */
  readonly environmentFile: string;
  /** What the control plane that serves was started with. */
  readonly serving: string;
  /** A store of somebody else's, with what opens it. */
  readonly foreignStoreFile: string;
  /** PEM: the CA that its certificate is from. */
  readonly foreignAuthority: string;
  /** For AWS clients. */
  readonly awsVariables: string;
  readonly token: string;
  /** Bearer token of the endpoints' own administration paths: faults and recorded calls. */
  readonly administrationToken: string;
  readonly keys: {
    readonly identities: string;
    readonly vault: string;
    readonly tokens: string;
    /** Key and certificates of the S3 that machines speak to. */
    readonly objects: string;
    /** Of the store of somebody else's: who may use it, and its key and certificates. */
    readonly foreignIdentities: string;
    readonly foreignObjects: string;
  };
  readonly documents: string;
  /** Which permissions roles have used: see docs/decisions/permission-replay.md. */
  readonly permissions: string;
  readonly dynamoDb: string;
  readonly objects: string;
  readonly foreignObjects: string;
  readonly assets: string;
  /** The synthesized stage. */
  readonly stage: string;
  readonly logs: string;
  /** What `npm run psql` hands to psql: CA certificates and password files. */
  readonly clients: string;
}

export const defaultStateDirectory = "/var/lib/pgherd/local";
const defaultCacheDirectory = "/var/cache/pgherd";

export function environmentPaths(variables: Readonly<Record<string, string | undefined>>): EnvironmentPaths {
  const state = resolve(variables["PGHERD_STATE_DIR"] ?? defaultStateDirectory);
  const keys = join(state, "keys");
  return {
    state,
    cache: resolve(variables["PGHERD_CACHE_DIR"] ?? defaultCacheDirectory),
    settings: join(state, "settings.json"),
    environmentFile: join(state, "environment.json"),
    serving: join(state, "serving"),
    foreignStoreFile: join(state, "foreign-store.json"),
    foreignAuthority: join(state, "foreign-store-ca.pem"),
    awsVariables: join(state, "aws.env"),
    token: join(state, "token"),
    administrationToken: join(keys, "administration-token"),
    keys: {
      identities: join(keys, "identities"),
      vault: join(keys, "vault"),
      tokens: join(keys, "tokens.json"),
      objects: join(keys, "objects.pem"),
      foreignIdentities: join(keys, "foreign-identities"),
      foreignObjects: join(keys, "foreign-objects.pem"),
    },
    documents: join(state, "documents.sqlite"),
    permissions: join(state, "permissions.jsonl"),
    dynamoDb: join(state, "dynamodb"),
    objects: join(state, "objects"),
    foreignObjects: join(state, "foreign-objects"),
    assets: join(state, "assets"),
    stage: join(state, "stage"),
    logs: join(state, "logs"),
    clients: join(state, "clients"),
  };
}
