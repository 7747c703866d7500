import { z } from "zod";

/** A store of somebody else's that speaks S3: where a cluster's backups and WAL are instead of the environment's bucket. */

/** A host name or an IPv4 address, and a port where it is not 443. */
const authority = /^(?:https:\/\/)?([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[1-9][0-9]{0,4})?)\/?$/;
const portMax = 65_535;

const endpointSchema = z
  .string()
  .regex(
    authority,
    "must be https://host or https://host:port, in lower case: backups travel over TLS alone, and there is no path",
  )
  .refine((endpoint) => Number(/:(\d+)\/?$/.exec(endpoint)?.[1] ?? 0) <= portMax, "has a port that is none");

/** Of an environment's parameters the ones that hold keys of stores are here, and no cluster's are. */
export const storeKeysPath = (environment: string): string => `/pgherd/${environment}/stores`;

const credentialsParameterSchema = z
  .string()
  .regex(
    /^\/pgherd\/[a-z0-9-]{1,32}\/stores\/[A-Za-z0-9_.-]{1,128}$/,
    "must be the name of a parameter below /pgherd/<environment>/stores/, such as /pgherd/prod/stores/minio",
  );

/** As it is kept. */
export const backupStoreSchema = z.strictObject({
  endpoint: endpointSchema,
  bucket: z
    .string()
    .regex(
      /^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/,
      "must be 3 to 63 characters: lower-case letters, digits, dots, hyphens and underscores",
    ),
  region: z
    .string()
    .regex(
      /^[a-z0-9][a-z0-9-]{0,62}$/,
      "must be the region that requests are signed for: lower-case letters, digits and hyphens",
    ),
  pathStyle: z.boolean(),
  credentialsParameter: credentialsParameterSchema,
});
export type BackupStore = z.infer<typeof backupStoreSchema>;

/** Every store takes the bucket in the path; not every one has a certificate for a name with the bucket in it. */
export const pathStyleDefault = true;

/** `host` or `host:port`. */
export function storeHost({ endpoint }: Pick<BackupStore, "endpoint">): string {
  const host = authority.exec(endpoint)?.[1];
  if (host === undefined) throw new Error(`${endpoint} is no endpoint of a store`);
  return host;
}

export const isSameStore = (left: BackupStore | null, right: BackupStore | null): boolean =>
  JSON.stringify(left === null ? null : backupStoreSchema.parse(left)) ===
  JSON.stringify(right === null ? null : backupStoreSchema.parse(right));

/** No character that ends a line of pgBackRest's file, and none that S3's own keys do not have. */
const keyText = (max: number) =>
  z
    .string()
    .max(max)
    .regex(/^[\x21-\x7e]+$/);

/** What the parameter holds, as JSON. */
const storeKeysSchema = z.strictObject({
  accessKeyId: keyText(128),
  secretAccessKey: keyText(256),
  sessionToken: keyText(3_072).optional(),
});
export type StoreKeys = z.infer<typeof storeKeysSchema>;

/** What is wrong with the parameter's value; it says nothing of the value itself. */
export const storeKeysForm =
  'must hold JSON {"accessKeyId": "…", "secretAccessKey": "…"}, with "sessionToken" where the key needs one';

/** Null: it is not {@link storeKeysForm}. No error travels that could quote a part of the secret. */
export function parseStoreKeys(value: string): StoreKeys | null {
  let json: unknown;
  try {
    json = JSON.parse(value);
  } catch {
    return null;
  }
  const parsed = storeKeysSchema.safeParse(json);
  return parsed.success ? parsed.data : null;
}
