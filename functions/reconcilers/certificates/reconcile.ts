import { healthLimits } from "@pgherd/layers/domain";
import type { Store } from "@pgherd/layers/ports";
import { eachFreeCluster } from "../each-free-cluster.ts";
import { lastTry } from "../last-try.ts";
import { type StartingWorld, startBySystem } from "../start-operation.ts";

export interface CertificatesWorld extends StartingWorld {
  readonly store: Pick<Store, "startOperation" | "listOperations" | "listClusters" | "readHealth">;
}

const dayMs = 24 * 60 * 60 * 1000;

/** Starts the rotation where the first of a cluster's certificates comes to its end; a failed one again the next day. */
export async function renewCertificates(world: CertificatesWorld): Promise<void> {
  await eachFreeCluster(world, async (cluster) => {
    const { certificatesUntil } = await world.store.readHealth(cluster.id);
    if (certificatesUntil === null) return;
    const leftMs = Date.parse(certificatesUntil) - world.now().getTime();
    if (leftMs > healthLimits.certificateRenewalDays * dayMs) return;
    // After a rotation it takes a look at every node until the new ends are known.
    const last = await lastTry(world, cluster, "rotate-certificates");
    if (last !== null && last.ageMs < dayMs) return;
    await startBySystem(world, cluster, {
      kind: "rotate-certificates",
      status: "updating",
      detail: `The first certificate ends on ${certificatesUntil}: all are renewed.`,
    });
  });
}
