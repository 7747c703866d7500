import type { NodeService } from "../../layers/domain/index.ts";
import type { NodeIntent } from "../../layers/domain/node/index.ts";
import type { Cloud } from "./cloud.ts";
import type { PostgresPlace } from "./paper-patroni.ts";

export interface Machine {
  volumeId: string | null;
  intent: NodeIntent | null;
  readonly stopped: Set<NodeService>;
}

/** A node that runs and is configured. */
interface LivingNode {
  readonly machine: Machine;
  readonly intent: NodeIntent;
  readonly volumeId: string;
  readonly address: string;
}

export const servicesOf = (intent: NodeIntent): readonly NodeService[] =>
  intent.peers.find((peer) => peer.nodeId === intent.nodeId)?.services ?? [];

/** The nodes of one cluster, over the machines that EC2 has. */
export class PaperNodes {
  readonly #machines = new Map<string, Machine>();
  readonly #cloud: Cloud;

  constructor(cloud: Cloud) {
    this.#cloud = cloud;
  }

  put(instanceId: string, machine: Machine): void {
    this.#machines.set(instanceId, machine);
  }

  at(instanceId: string): Machine {
    const known = this.#machines.get(instanceId) ?? { volumeId: null, intent: null, stopped: new Set() };
    this.#machines.set(instanceId, known);
    return known;
  }

  sizeGiB(volumeId: string): number {
    return this.#cloud.machines.sizesGiB.get(volumeId) ?? 0;
  }

  /** Machines that run and are configured, with the volume that they were prepared with. */
  *living(): Generator<LivingNode> {
    for (const [instanceId, machine] of this.#machines) {
      const real = this.#cloud.machines.machines.get(instanceId);
      const { intent, volumeId } = machine;
      if (real?.isRunning !== true || intent === null || volumeId === null) continue;
      if (!real.volumes.has(volumeId)) continue;
      yield { machine, intent, volumeId, address: real.spec.interface.address };
    }
  }

  postgresPlaces(): ReadonlyMap<string, PostgresPlace> {
    const places = new Map<string, PostgresPlace>();
    for (const { machine, intent, volumeId } of this.living()) {
      if (machine.stopped.has("postgres") || !servicesOf(intent).includes("postgres")) continue;
      places.set(intent.nodeId, { intent, volumeId });
    }
    return places;
  }

  addressOf(nodeId: string): string | undefined {
    for (const { intent, address } of this.living()) if (intent.nodeId === nodeId) return address;
    return undefined;
  }
}
