import { SsmNodeCommands } from "@pgherd/layers/aws/commands";
import { Ec2Compute } from "@pgherd/layers/aws/compute";
import { SchedulerBackupSchedules } from "@pgherd/layers/aws/scheduler";
import { ParameterStoreSecrets } from "@pgherd/layers/aws/secrets";
import { DynamoStore } from "@pgherd/layers/aws/store";
import type { EnvironmentSettings } from "@pgherd/layers/domain";
import type {
  BackupSchedules,
  Compute,
  NodeCommandPort,
  NodeIdentities,
  Secrets,
  Store,
} from "@pgherd/layers/ports";
import { readFunctionEnvironment } from "@pgherd/layers/runtime";

/** What the workflows of clusters work with. */
export interface ClusterPorts {
  readonly settings: EnvironmentSettings;
  readonly region: string;
  readonly store: Store;
  readonly compute: Compute;
  readonly commands: NodeCommandPort;
  readonly secrets: Secrets;
  readonly schedules: BackupSchedules;
  readonly identities: NodeIdentities;
}

export function openPorts(): ClusterPorts {
  const { settings, region, table } = readFunctionEnvironment();
  return {
    settings,
    region,
    store: new DynamoStore(table),
    compute: new Ec2Compute(settings),
    commands: new SsmNodeCommands(settings),
    secrets: new ParameterStoreSecrets(settings),
    schedules: new SchedulerBackupSchedules(settings),
    identities: lazyIdentities({ region, settings }),
  };
}

/** Few steps of few operations need IAM: its client is loaded when the first one does, which makes cold starts shorter. */
function lazyIdentities(place: Pick<ClusterPorts, "region" | "settings">): NodeIdentities {
  let opening: Promise<NodeIdentities> | undefined;
  const open = (): Promise<NodeIdentities> => {
    opening ??= import("@pgherd/layers/aws/identities").then(
      ({ IamNodeIdentities }) => new IamNodeIdentities(place),
    );
    return opening;
  };
  return {
    ensure: async (rights) => (await open()).ensure(rights),
    permit: async (rights) => (await open()).permit(rights),
    remove: async (clusterId) => (await open()).remove(clusterId),
  };
}
