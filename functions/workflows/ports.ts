import { SsmNodeCommands } from "@pgherd/layers/aws/commands";
import { Ec2Compute } from "@pgherd/layers/aws/compute";
import { SchedulerBackupSchedules } from "@pgherd/layers/aws/scheduler";
import { ParameterStoreSecrets } from "@pgherd/layers/aws/secrets";
import { DynamoStore } from "@pgherd/layers/aws/store";
import type { EnvironmentSettings } from "@pgherd/layers/domain";
import type { BackupSchedules, Compute, NodeCommandPort, Secrets, Store } from "@pgherd/layers/ports";
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
  };
}
