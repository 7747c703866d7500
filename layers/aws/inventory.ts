import { setTimeout as sleep } from "node:timers/promises";
import {
  DeleteNetworkInterfaceCommand,
  DeleteSecurityGroupCommand,
  DeleteVolumeCommand,
  EC2Client,
  type EC2ClientConfig,
  paginateDescribeInstances,
  paginateDescribeNetworkInterfaces,
  paginateDescribeSecurityGroups,
  paginateDescribeVolumes,
  type Tag,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import type { IAMClientConfig } from "@aws-sdk/client-iam";
import {
  DeleteScheduleCommand,
  paginateListSchedules,
  SchedulerClient,
  type SchedulerClientConfig,
} from "@aws-sdk/client-scheduler";
import {
  DeleteParametersCommand,
  paginateGetParametersByPath,
  SSMClient,
  type SSMClientConfig,
} from "@aws-sdk/client-ssm";
import { clusterOfSchedule, tagNames } from "../domain/cluster/names.ts";
import type { EnvironmentSettings } from "../domain/environment.ts";
import type { Belonging, BelongingKind, Inventory } from "../ports/inventory.ts";
import { clientBehaviour } from "./clients.ts";
import { isAwsError } from "./errors.ts";
import { IamNodeIdentities } from "./identities.ts";
import { onAllPages } from "./pages.ts";

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

interface Tagged {
  readonly id: string | undefined;
  readonly tags: readonly Tag[] | undefined;
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
      this.#instances(),
      this.#interfaces(),
      this.#volumes(),
      this.#groups(),
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

  #query() {
    return { Filters: [{ Name: `tag:${tagNames.environment}`, Values: [this.#environment] }] };
  }

  #instances(): Promise<Belonging[]> {
    const pages = paginateDescribeInstances({ client: this.#ec2, pageSize }, this.#query());
    return onAllPages(pages, ({ Reservations }) =>
      Reservations?.flatMap(({ Instances = [] }) => Instances)
        .filter(({ State }) => livingStates.includes(State?.Name ?? ""))
        .flatMap(({ InstanceId: id, Tags: tags }) => belonging("instance", { id, tags })),
    );
  }

  #interfaces(): Promise<Belonging[]> {
    const pages = paginateDescribeNetworkInterfaces({ client: this.#ec2, pageSize }, this.#query());
    return onAllPages(pages, ({ NetworkInterfaces }) =>
      NetworkInterfaces?.flatMap(({ NetworkInterfaceId: id, TagSet: tags }) =>
        belonging("network-interface", { id, tags }),
      ),
    );
  }

  #volumes(): Promise<Belonging[]> {
    const pages = paginateDescribeVolumes({ client: this.#ec2, pageSize }, this.#query());
    return onAllPages(pages, ({ Volumes }) =>
      Volumes?.filter(({ State }) => State !== "deleting" && State !== "deleted").flatMap(
        ({ VolumeId: id, Tags: tags }) => belonging("volume", { id, tags }),
      ),
    );
  }

  #groups(): Promise<Belonging[]> {
    const pages = paginateDescribeSecurityGroups({ client: this.#ec2, pageSize }, this.#query());
    return onAllPages(pages, ({ SecurityGroups }) =>
      SecurityGroups?.flatMap(({ GroupId: id, Tags: tags }) => belonging("security-group", { id, tags })),
    );
  }

  #schedules(): Promise<Belonging[]> {
    const config = { client: this.#scheduler, pageSize: schedulesPageSize };
    const pages = paginateListSchedules(config, { GroupName: this.#scheduleGroup });
    return onAllPages(pages, ({ Schedules }) =>
      Schedules?.flatMap(({ Name: id = "" }) => {
        const clusterId = clusterOfSchedule(id);
        return clusterId === null ? [] : [{ kind: "schedule" as const, id, clusterId, nodeId: null }];
      }),
    );
  }

  async #roles(): Promise<Belonging[]> {
    const roles = await this.#identities.list();
    return roles.map(({ clusterId, name: id }) => ({ kind: "role", id, clusterId, nodeId: null }));
  }

  /** Names alone: nothing is decrypted. */
  #parameters(): Promise<Belonging[]> {
    const query = { Path: `/pgherd/${this.#environment}`, Recursive: true, WithDecryption: false };
    const config = { client: this.#ssm, pageSize: parametersPageSize };
    const pages = unhurried(paginateGetParametersByPath(config, query), parameterPagesPerSecondMax);
    return onAllPages(pages, ({ Parameters }) =>
      Parameters?.flatMap(({ Name: id = "" }) => {
        const clusterId = /\/(clu_[0-9A-Z]{26})\//.exec(id)?.[1];
        return clusterId === undefined ? [] : [{ kind: "parameter" as const, id, clusterId, nodeId: null }];
      }),
    );
  }
}

async function* unhurried<Page>(pages: AsyncIterable<Page>, perSecondMax: number): AsyncGenerator<Page> {
  let askedMs = performance.now();
  for await (const page of pages) {
    yield page;
    const earlyMs = 1000 / perSecondMax - (performance.now() - askedMs);
    if (earlyMs > 0) await sleep(earlyMs);
    askedMs = performance.now();
  }
}

/** Endpoints and the like are the environment's without being a cluster's: they are not in the inventory. */
function belonging(kind: BelongingKind, { id, tags }: Tagged): Belonging[] {
  const clusterId = tagValue(tags, tagNames.cluster);
  if (id === undefined || clusterId === undefined) return [];
  return [{ kind, id, clusterId, nodeId: tagValue(tags, tagNames.node) ?? null }];
}

function tagValue(tags: readonly Tag[] | undefined, name: string): string | undefined {
  return tags?.find((tag) => tag.Key === name)?.Value;
}
