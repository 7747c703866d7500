import { setTimeout as sleep } from "node:timers/promises";
import {
  DeleteNetworkInterfaceCommand,
  DeleteSecurityGroupCommand,
  DeleteVolumeCommand,
  DescribeInstancesCommand,
  DescribeNetworkInterfacesCommand,
  DescribeSecurityGroupsCommand,
  DescribeVolumesCommand,
  EC2Client,
  type EC2ClientConfig,
  type Tag,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import type { IAMClientConfig } from "@aws-sdk/client-iam";
import {
  DeleteScheduleCommand,
  ListSchedulesCommand,
  SchedulerClient,
  type SchedulerClientConfig,
} from "@aws-sdk/client-scheduler";
import {
  DeleteParametersCommand,
  GetParametersByPathCommand,
  SSMClient,
  type SSMClientConfig,
} from "@aws-sdk/client-ssm";
import { clusterOfSchedule, tagNames } from "../domain/cluster/names.ts";
import type { EnvironmentSettings } from "../domain/environment.ts";
import type { Belonging, BelongingKind, Inventory } from "../ports/inventory.ts";
import { clientBehaviour } from "./clients.ts";
import { isAwsError } from "./errors.ts";
import { IamNodeIdentities } from "./identities.ts";

/** What one page of each listing holds at most. */
const pageSize = 200;
/** ListSchedules' own limit. */
const schedulesPageSize = 100;
/** GetParametersByPath's own limit. */
const parametersPageSize = 10;
/** Half of what an account may read in a second where nobody has raised it: nodes read their secrets meanwhile. */
const parameterPagesPerSecondMax = 20;

const livingStates = ["pending", "running", "stopping", "stopped"];
/** Still held by an instance that ends, or by an interface that goes with it. */
const heldErrors = [
  "DependencyViolation",
  "InvalidNetworkInterface.InUse",
  "InvalidParameterValue",
  "VolumeInUse",
  "IncorrectState",
];
const goneErrors = [
  "InvalidInstanceID.NotFound",
  "InvalidNetworkInterfaceID.NotFound",
  "InvalidVolume.NotFound",
  "InvalidGroup.NotFound",
  "ResourceNotFoundException",
];

interface Page {
  readonly items: readonly { readonly id: string | undefined; readonly tags: readonly Tag[] | undefined }[];
  readonly next: string | undefined;
}

/** What carries the environment's tags in EC2, lies under its path in Parameter Store, is in its schedule group, or is a role below its path. */
export class AwsInventory implements Inventory {
  readonly #ec2: EC2Client;
  readonly #ssm: SSMClient;
  readonly #scheduler: SchedulerClient;
  readonly #identities: IamNodeIdentities;
  readonly #environment: string;
  readonly #scheduleGroup: string;

  constructor(
    place: { readonly region: string; readonly settings: EnvironmentSettings },
    config: EC2ClientConfig & SSMClientConfig & SchedulerClientConfig & IAMClientConfig = {},
  ) {
    const { settings } = place;
    this.#ec2 = new EC2Client({ ...clientBehaviour, ...config });
    this.#ssm = new SSMClient({ ...clientBehaviour, ...config });
    this.#scheduler = new SchedulerClient({ ...clientBehaviour, ...config });
    this.#identities = new IamNodeIdentities(place, { config });
    this.#environment = settings.environment;
    this.#scheduleGroup = settings.schedules.group;
  }

  list: Inventory["list"] = async () => {
    const found = await Promise.all([
      this.#tagged("instance", (next) => this.#instances(next)),
      this.#tagged("network-interface", (next) => this.#interfaces(next)),
      this.#tagged("volume", (next) => this.#volumes(next)),
      this.#tagged("security-group", (next) => this.#groups(next)),
      this.#parameters(),
      this.#schedules(),
      this.#roles(),
    ]);
    return found.flat();
  };

  remove: Inventory["remove"] = async ({ clusterId, id, kind }) => {
    try {
      await this.#remove(kind, id, clusterId);
      return true;
    } catch (error) {
      if (isAwsError(error, goneErrors)) return true;
      if (isAwsError(error, heldErrors)) return false;
      throw error;
    }
  };

  async #remove(kind: BelongingKind, id: string, clusterId: string): Promise<void> {
    switch (kind) {
      case "instance":
        await this.#ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
        return;
      case "network-interface":
        await this.#ec2.send(new DeleteNetworkInterfaceCommand({ NetworkInterfaceId: id }));
        return;
      case "volume":
        await this.#ec2.send(new DeleteVolumeCommand({ VolumeId: id }));
        return;
      case "security-group":
        await this.#ec2.send(new DeleteSecurityGroupCommand({ GroupId: id }));
        return;
      case "parameter":
        await this.#ssm.send(new DeleteParametersCommand({ Names: [id] }));
        return;
      case "schedule":
        await this.#scheduler.send(new DeleteScheduleCommand({ GroupName: this.#scheduleGroup, Name: id }));
        return;
      case "role":
        await this.#identities.remove(clusterId);
        return;
    }
  }

  /** Endpoints and the like are the environment's without being a cluster's: they are not in it. */
  async #tagged(
    kind: BelongingKind,
    page: (next: string | undefined) => Promise<Page>,
  ): Promise<Belonging[]> {
    const found: Belonging[] = [];
    let next: string | undefined;
    do {
      const answer: Page = await page(next);
      for (const { id, tags } of answer.items) {
        const clusterId = tagValue(tags, tagNames.cluster);
        if (id === undefined || clusterId === undefined) continue;
        found.push({ kind, id, clusterId, nodeId: tagValue(tags, tagNames.node) ?? null });
      }
      next = answer.next;
    } while (next !== undefined);
    return found;
  }

  #query(next: string | undefined) {
    return {
      Filters: [{ Name: `tag:${tagNames.environment}`, Values: [this.#environment] }],
      MaxResults: pageSize,
      ...(next === undefined ? {} : { NextToken: next }),
    };
  }

  async #instances(next: string | undefined): Promise<Page> {
    const answer = await this.#ec2.send(new DescribeInstancesCommand(this.#query(next)));
    const instances = (answer.Reservations ?? []).flatMap((one) => one.Instances ?? []);
    const living = instances.filter((one) => livingStates.includes(one.State?.Name ?? ""));
    return {
      items: living.map((one) => ({ id: one.InstanceId, tags: one.Tags })),
      next: answer.NextToken,
    };
  }

  async #interfaces(next: string | undefined): Promise<Page> {
    const answer = await this.#ec2.send(new DescribeNetworkInterfacesCommand(this.#query(next)));
    const items = (answer.NetworkInterfaces ?? []).map((one) => ({
      id: one.NetworkInterfaceId,
      tags: one.TagSet,
    }));
    return { items, next: answer.NextToken };
  }

  async #volumes(next: string | undefined): Promise<Page> {
    const answer = await this.#ec2.send(new DescribeVolumesCommand(this.#query(next)));
    const there = (answer.Volumes ?? []).filter((one) => one.State !== "deleting" && one.State !== "deleted");
    return { items: there.map((one) => ({ id: one.VolumeId, tags: one.Tags })), next: answer.NextToken };
  }

  async #groups(next: string | undefined): Promise<Page> {
    const answer = await this.#ec2.send(new DescribeSecurityGroupsCommand(this.#query(next)));
    const items = (answer.SecurityGroups ?? []).map((one) => ({ id: one.GroupId, tags: one.Tags }));
    return { items, next: answer.NextToken };
  }

  async #schedules(): Promise<Belonging[]> {
    const found: Belonging[] = [];
    let next: string | undefined;
    do {
      const answer: {
        Schedules?: { Name?: string | undefined }[] | undefined;
        NextToken?: string | undefined;
      } = await this.#scheduler.send(
        new ListSchedulesCommand({
          GroupName: this.#scheduleGroup,
          MaxResults: schedulesPageSize,
          ...(next === undefined ? {} : { NextToken: next }),
        }),
      );
      for (const { Name: id = "" } of answer.Schedules ?? []) {
        const clusterId = clusterOfSchedule(id);
        if (clusterId !== null) found.push({ kind: "schedule", id, clusterId, nodeId: null });
      }
      next = answer.NextToken;
    } while (next !== undefined);
    return found;
  }

  async #roles(): Promise<Belonging[]> {
    const roles = await this.#identities.list();
    return roles.map(({ clusterId, name: id }) => ({ kind: "role", id, clusterId, nodeId: null }));
  }

  /** Names alone: nothing is decrypted. */
  async #parameters(): Promise<Belonging[]> {
    const path = `/pgherd/${this.#environment}`;
    const found: Belonging[] = [];
    let next: string | undefined;
    do {
      const askedMs = performance.now();
      const answer: {
        Parameters?: { Name?: string | undefined }[] | undefined;
        NextToken?: string | undefined;
      } = await this.#ssm.send(
        new GetParametersByPathCommand({
          Path: path,
          Recursive: true,
          WithDecryption: false,
          MaxResults: parametersPageSize,
          ...(next === undefined ? {} : { NextToken: next }),
        }),
      );
      for (const { Name: id } of answer.Parameters ?? []) {
        const clusterId = /\/(clu_[0-9A-Z]{26})\//.exec(id ?? "")?.[1];
        if (id !== undefined && clusterId !== undefined) {
          found.push({ kind: "parameter", id, clusterId, nodeId: null });
        }
      }
      next = answer.NextToken === "" ? undefined : answer.NextToken;
      const earlyMs = 1000 / parameterPagesPerSecondMax - (performance.now() - askedMs);
      if (next !== undefined && earlyMs > 0) await sleep(earlyMs);
    } while (next !== undefined);
    return found;
  }
}

function tagValue(tags: readonly Tag[] | undefined, name: string): string | undefined {
  return tags?.find((tag) => tag.Key === name)?.Value;
}
