import type {
  Backup,
  Cluster,
  CreateClusterBody,
  RestoreSource,
  RestoreTarget,
} from "../../layers/domain/index.ts";
import type { NodeVerb } from "../../layers/domain/node/index.ts";
import type { CommandTarget, NodeCommandPort } from "../../layers/ports/index.ts";
import type { Cloud } from "./cloud.ts";
import { ControlPlane } from "./control-plane.ts";

/** A cluster that was created through the control plane. With it goes its cloud. */
export interface MadeCluster extends AsyncDisposable {
  readonly cloud: Cloud;
  readonly plane: ControlPlane;
  readonly clusterId: string;
  /** The last one leads. */
  readonly nodeIds: readonly string[];
  read(): Promise<Cluster>;
  /** What is on record, oldest first. */
  backups(): Promise<readonly Backup[]>;
}

/** @param before sees each command before the node does; what it throws the node has answered */
export async function makeCluster(
  cloud: Cloud,
  body: Omit<CreateClusterBody, "name"> = {},
  before: (verb: NodeVerb, target: CommandTarget) => void = () => undefined,
): Promise<MadeCluster> {
  const commands: NodeCommandPort = {
    awaitOnline: (...asked) => cloud.ports.commands.awaitOnline(...asked),
    run: async (target, verb, input) => {
      before(verb, target);
      return cloud.ports.commands.run(target, verb, input);
    },
  };
  const { store } = cloud.ports;
  const plane = new ControlPlane(cloud, { ...cloud.ports, commands });
  const { cluster } = await plane.create({ name: "orders", members: 1, ...body });
  if (cluster === null) throw new Error("the cluster was not created");
  const { id: clusterId } = cluster;
  return {
    cloud,
    plane,
    clusterId,
    nodeIds: cluster.nodes.map(({ id }) => id).toSorted(),
    read: async () => {
      const found = await store.getCluster(clusterId);
      if (found === null) throw new Error("the cluster is gone");
      return found;
    },
    backups: () => store.allBackups(clusterId),
    [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose](),
  };
}

export async function lastBackup({ ports }: Cloud, clusterId: string): Promise<Backup> {
  const backup = (await ports.store.allBackups(clusterId)).at(-1);
  if (backup === undefined) throw new Error("there is no backup");
  return backup;
}

/** What a restore of this backup is told. */
export function sourceOf(
  { clusterId, id: backupId, label, shard }: Backup,
  target: RestoreTarget,
): RestoreSource {
  if (label === null) throw new Error("the backup did not come to be");
  return { clusterId, shard, backupId, label, target, exclusive: false };
}
