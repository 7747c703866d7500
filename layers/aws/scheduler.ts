import {
  CreateScheduleCommand,
  type CreateScheduleCommandInput,
  DeleteScheduleCommand,
  GetScheduleCommand,
  type GetScheduleCommandOutput,
  SchedulerClient,
  type SchedulerClientConfig,
  UpdateScheduleCommand,
} from "@aws-sdk/client-scheduler";
import { schedulerExpression } from "../domain/backup/cron.ts";
import { type TimerKind, timerKinds } from "../domain/backup/schedule.ts";
import { scheduleName } from "../domain/cluster/names.ts";
import type { EnvironmentSettings } from "../domain/environment.ts";
import type { BackupSchedules } from "../ports/schedules.ts";
import { clientBehaviour } from "./clients.ts";
import { isAwsError } from "./errors.ts";

/** Long before that, whatever was missed is begun by whoever looks after it. */
const eventAgeSecondsMax = 3600;
/** With the scheduler's growing pauses these take about as long. */
const retriesMax = 10;

const gone = "ResourceNotFoundException";
const there = "ConflictException";

/** Schedules of EventBridge Scheduler, in the environment's group; their input says what they begin. */
export class SchedulerBackupSchedules implements BackupSchedules {
  readonly #client: SchedulerClient;
  readonly #schedules: EnvironmentSettings["schedules"];

  constructor(settings: EnvironmentSettings, config: SchedulerClientConfig = {}) {
    this.#client = new SchedulerClient({ ...clientBehaviour, ...config });
    this.#schedules = settings.schedules;
  }

  isCurrent: BackupSchedules["isCurrent"] = async (clusterId, wanted) => {
    const found = await Promise.all(
      timerKinds.map(async (kind) => {
        const cron = wanted[kind];
        const one = await this.#find(clusterId, kind);
        return cron === null
          ? one === null
          : one !== null && isAs(one, this.#scheduleOf(clusterId, kind, cron));
      }),
    );
    return found.every(Boolean);
  };

  apply: BackupSchedules["apply"] = async (clusterId, wanted) => {
    for (const kind of timerKinds) {
      const cron = wanted[kind];
      if (cron === null) await this.#remove(clusterId, kind);
      else await this.#put(this.#scheduleOf(clusterId, kind, cron));
    }
  };

  remove: BackupSchedules["remove"] = async (clusterId) => {
    for (const kind of timerKinds) await this.#remove(clusterId, kind);
  };

  #scheduleOf(clusterId: string, kind: TimerKind, cron: string): CreateScheduleCommandInput {
    const { group, roleArn, targetArn } = this.#schedules;
    return {
      GroupName: group,
      Name: scheduleName(clusterId, kind),
      ScheduleExpression: schedulerExpression(cron),
      ScheduleExpressionTimezone: "UTC",
      FlexibleTimeWindow: { Mode: "OFF" },
      State: "ENABLED",
      Target: {
        Arn: targetArn,
        RoleArn: roleArn,
        // The scheduler writes the time in, the same with each of its tries.
        Input: JSON.stringify({ clusterId, kind, scheduledAt: "<aws.scheduler.scheduled-time>" }),
        RetryPolicy: { MaximumEventAgeInSeconds: eventAgeSecondsMax, MaximumRetryAttempts: retriesMax },
      },
    };
  }

  async #find(clusterId: string, kind: TimerKind): Promise<GetScheduleCommandOutput | null> {
    try {
      return await this.#client.send(new GetScheduleCommand(this.#nameOf(clusterId, kind)));
    } catch (error) {
      if (isAwsError(error, [gone])) return null;
      throw error;
    }
  }

  /** An update replaces the schedule whole. One that is made at the same time by another process is the same. */
  async #put(schedule: CreateScheduleCommandInput): Promise<void> {
    try {
      await this.#client.send(new UpdateScheduleCommand(schedule));
    } catch (error) {
      if (!isAwsError(error, [gone])) throw error;
      await this.#create(schedule);
    }
  }

  async #create(schedule: CreateScheduleCommandInput): Promise<void> {
    try {
      await this.#client.send(new CreateScheduleCommand(schedule));
    } catch (error) {
      if (!isAwsError(error, [there])) throw error;
    }
  }

  async #remove(clusterId: string, kind: TimerKind): Promise<void> {
    try {
      await this.#client.send(new DeleteScheduleCommand(this.#nameOf(clusterId, kind)));
    } catch (error) {
      if (!isAwsError(error, [gone])) throw error;
    }
  }

  #nameOf(clusterId: string, kind: TimerKind): { readonly GroupName: string; readonly Name: string } {
    return { GroupName: this.#schedules.group, Name: scheduleName(clusterId, kind) };
  }
}

function isAs(found: GetScheduleCommandOutput, wanted: CreateScheduleCommandInput): boolean {
  return (
    found.State === wanted.State &&
    found.ScheduleExpression === wanted.ScheduleExpression &&
    found.ScheduleExpressionTimezone === wanted.ScheduleExpressionTimezone &&
    found.Target?.Arn === wanted.Target?.Arn &&
    found.Target?.RoleArn === wanted.Target?.RoleArn &&
    found.Target?.Input === wanted.Target?.Input
  );
}
