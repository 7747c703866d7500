import type { Api } from "../test/e2e/support/api.ts";
import type { Environment } from "../test/e2e/support/environment.ts";
import { AutoFailoverPeer } from "./peers/auto-failover.ts";
import { peersImage } from "./peers/image.ts";
import { measure } from "./peers/measure.ts";
import { PatroniPeer } from "./peers/patroni.ts";
import { Pgherd } from "./peers/pgherd.ts";
import { RepmgrPeer } from "./peers/repmgr.ts";
import type { PeerSystem } from "./peers/system.ts";

const events = {
  "planned change": (system: PeerSystem) => system.switchOver(),
  "PostgreSQL killed": (system: PeerSystem) => system.killPostgres(),
  "machine lost": (system: PeerSystem) => system.loseMachine(),
} as const;

/** pgherd and what people would use instead, one after the other: the same machines, load and stopwatch. */
export async function benchOperate(environment: Environment, api: Api): Promise<void> {
  const image = await peersImage();
  const systems = [
    () => Pgherd.create(environment, api, "pooled"),
    () => Pgherd.create(environment, api, "readWrite"),
    () => Pgherd.create(environment, api, "direct"),
    () => PatroniPeer.create(image),
    () => AutoFailoverPeer.create(image),
    () => RepmgrPeer.create(image),
  ];
  for (const create of systems) {
    await using system = await create();
    for (const [name, event] of Object.entries(events)) await measure(system, name, event);
  }
}
