import {
  authorityKeyParameter,
  cipherPassParameter,
  Problem,
  passwordOwners,
  passwordParameter,
} from "@pgherd/layers/domain";
import { authorityCertificate, newAuthorityKey, newPassword } from "@pgherd/layers/runtime/secrets";
import { ensureCipherPass } from "../node-configuration.ts";
import type { ClusterAct } from "./records.ts";

export const passwords: ClusterAct = async ({ ports, clusterId }) => {
  const { environment } = ports.settings;
  await Promise.all(
    passwordOwners.map((owner) =>
      ports.secrets.ensure(passwordParameter(environment, clusterId, owner), clusterId, async () =>
        newPassword(),
      ),
    ),
  );
};

export const cipherPass: ClusterAct = ensureCipherPass;

/** @throws where it is gone: nobody can read the backups any more. */
export const keptCipherPass: ClusterAct = async ({ ports, clusterId }) => {
  const parameter = cipherPassParameter(ports.settings.environment, clusterId);
  if ((await ports.secrets.find(parameter)) !== null) return;
  throw new Problem("no-backup", `Parameter ${parameter} is gone: without it the backups cannot be read.`);
};

/** The key is made once; a certificate that a crash lost follows from it again. */
export const authority: ClusterAct = async ({ ports, clusterId }) => {
  const parameter = authorityKeyParameter(ports.settings.environment, clusterId);
  await ports.secrets.ensure(parameter, clusterId, newAuthorityKey);
  if ((await ports.store.getAuthorityCertificate(clusterId)) !== null) return;
  const certificate = await authorityCertificate(clusterId, await ports.secrets.read(parameter), new Date());
  await ports.store.putAuthorityCertificate(clusterId, certificate);
};
