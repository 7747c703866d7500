import { RemovalPolicy, type StackProps } from "aws-cdk-lib";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";
import type { FunctionSource } from "../build/tree.ts";
import type { EnvironmentConfig } from "../config/schema.ts";
import { BackupStore } from "../constructs/backup-store.ts";
import { ClusterSchedules } from "../constructs/cluster-schedules.ts";
import { ClusterTable } from "../constructs/cluster-table.ts";
import { EnvironmentKey } from "../constructs/environment-key.ts";
import { clusterProviderName, logGroupName } from "../constructs/names.ts";
import { EnvironmentStack } from "./environment-stack.ts";

/** What must not be lost: what pgherd knows, backups and their schedules, the key of secrets, volumes and backups, logs. */
export class DataStack extends EnvironmentStack {
  readonly table: ClusterTable;
  readonly key: EnvironmentKey;
  readonly backups: BackupStore;
  readonly schedules: ClusterSchedules;

  constructor(
    scope: Construct,
    config: EnvironmentConfig,
    functions: readonly FunctionSource[],
    props: StackProps,
  ) {
    super(scope, "Data", config, {
      ...props,
      description: "pgherd: state, backups, key and logs. Holds data: survives everything else",
      terminationProtection: config.keepData,
    });
    this.table = new ClusterTable(this, "Table", { keepData: config.keepData });
    this.key = new EnvironmentKey(this, "Key", { environment: config.name, keepData: config.keepData });
    if (config.deployer === "cloudformation") this.key.allowAlarms();
    this.backups = new BackupStore(this, "Backups", { key: this.key, keepData: config.keepData });
    this.schedules = new ClusterSchedules(this, "Schedules", {
      environment: config.name,
      keepData: config.keepData,
    });
    const hasResources = functions.some(({ kind }) => kind === "resource");
    const others = ["access", "network", ...(hasResources ? [clusterProviderName] : [])];
    for (const name of [...functions.map((source) => source.name), ...others]) {
      new LogGroup(this, `Log-${name}`, {
        logGroupName: logGroupName(config.name, name),
        retention: retentionDays(config.logRetentionDays),
        // Named: one that a failed first deployment left behind would stand in the way of the second.
        removalPolicy: config.keepData ? RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE : RemovalPolicy.DESTROY,
      });
    }
  }
}

const retentionOf = {
  1: RetentionDays.ONE_DAY,
  7: RetentionDays.ONE_WEEK,
  14: RetentionDays.TWO_WEEKS,
  30: RetentionDays.ONE_MONTH,
  90: RetentionDays.THREE_MONTHS,
  365: RetentionDays.ONE_YEAR,
} as const satisfies Record<EnvironmentConfig["logRetentionDays"], RetentionDays>;

function retentionDays(days: EnvironmentConfig["logRetentionDays"]): RetentionDays {
  return retentionOf[days];
}
