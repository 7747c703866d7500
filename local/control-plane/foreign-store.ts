import {
  type ForeignStorePlace,
  foreignBucket,
  foreignCertificate,
  foreignIdentities,
  foreignRegion,
} from "../endpoints/s3/foreign-store.ts";
import { writeAtomically } from "../environment/files.ts";
import type { EnvironmentPaths } from "../environment/paths.ts";
import type { EnvironmentSettings } from "../environment/settings.ts";
import { gatewayAddress } from "../machines/addresses.ts";

const ownerOnly = 0o600;
const everyone = 0o644;

/** On the bridge, where machines and functions reach it alike. */
export const foreignPlace = (paths: EnvironmentPaths, settings: EnvironmentSettings): ForeignStorePlace => ({
  directory: paths.foreignObjects,
  host: gatewayAddress(settings.cidr),
  port: settings.ports.foreignStore,
  certificateFile: paths.keys.foreignObjects,
  identitiesFile: paths.keys.foreignIdentities,
});

/** Tells people and tests how it is reached. @returns the CA that its certificate is from */
export async function announceForeignStore(
  paths: EnvironmentPaths,
  settings: EnvironmentSettings,
): Promise<string> {
  const place = foreignPlace(paths, settings);
  const { authority } = await foreignCertificate(place);
  const { accessKeyId, secretAccessKey } = (await foreignIdentities(place.identitiesFile)).operator();
  const content = {
    endpoint: `https://${place.host}:${place.port}`,
    bucket: foreignBucket,
    region: foreignRegion,
    pathStyle: true,
    accessKeyId,
    secretAccessKey,
  };
  await writeAtomically(paths.foreignStoreFile, `${JSON.stringify(content, null, 2)}\n`, ownerOnly);
  await writeAtomically(paths.foreignAuthority, authority, everyone);
  return authority;
}
