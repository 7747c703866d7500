import type { MachineDriver } from "../../machines/driver.ts";
import type { Documents } from "../../state/documents.ts";
import { type Caller, type Service, ServiceError } from "../service.ts";
import { actions } from "./actions.ts";
import type { Ec2Context } from "./context.ts";
import {
  type DeployedLaunchTemplate,
  type DeployedVpc,
  ensureLaunchTemplate,
  ensureSecurityGroup,
  ensureSubnet,
  ensureVpc,
  type Properties,
} from "./deployment.ts";
import { flag, refuseUnknown } from "./input.ts";
import { Machines } from "./machines.ts";
import { Ec2State, type InstanceRecord } from "./state.ts";

export interface Ec2ServiceOptions {
  readonly documents: Documents;
  readonly driver: MachineDriver;
  /** `path` of `ensureNodeImage`: every instance boots it, whatever AMI the launch template names. */
  readonly imagePath: string;
  readonly account: string;
  readonly region: string;
  readonly zones: readonly string[];
  readonly now?: () => Date;
  /** Hears of what went wrong behind an answer that was given already. */
  readonly onError?: (error: unknown) => void;
}

/** An instance as instance metadata and Run Command know it. */
export interface InstanceView {
  readonly instanceId: string;
  readonly address: string;
  readonly hostname: string;
  readonly zone: string;
  readonly imageId: string;
  readonly instanceType: string;
  readonly macAddress: string;
  /** ARN or name, as the launch template has it. */
  readonly instanceProfileArn: string | null;
  readonly launchedAt: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** EC2 as far as pgherd and its users need it: real machines, networks and volumes behind AWS's own calls. */
export class Ec2Service implements Service {
  readonly name = "ec2";
  readonly #context: Ec2Context;

  constructor(options: Ec2ServiceOptions) {
    const state = new Ec2State(options.documents);
    const now = options.now ?? (() => new Date());
    const machines = new Machines({
      state,
      driver: options.driver,
      imagePath: options.imagePath,
      now,
      onError: options.onError ?? (() => undefined),
    });
    const { account, region, zones } = options;
    this.#context = { state, machines, account, region, zones, now };
  }

  async call(
    action: string,
    input: Readonly<Record<string, unknown>>,
    _caller: Caller,
  ): Promise<Record<string, unknown>> {
    const known = Object.hasOwn(actions, action) ? actions[action] : undefined;
    if (known === undefined) {
      throw new ServiceError("InvalidAction", `The action ${action} is not valid for this web service.`);
    }
    refuseUnknown(input, known.parameters);
    if (flag(input, "DryRun")) {
      throw new ServiceError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412);
    }
    return known.run(this.#context, input);
  }

  /** Takes up what a killed control plane left and starts what should run and does not. Call once at its start. */
  async recover(): Promise<void> {
    await this.#context.machines.recover();
    this.#context.machines.watch();
  }

  /** The control plane ends; machines go on. */
  close(): void {
    this.#context.machines.unwatch();
  }

  /** Shuts all machines down, to be started again by {@link recover}. */
  suspend(): Promise<void> {
    return this.#context.machines.suspend();
  }

  /** Instances that have not been terminated, running or not. */
  listMachines(): readonly InstanceView[] {
    return this.#context.state.instances
      .list()
      .filter((one) => one.state !== "terminated" && one.state !== "shutting-down")
      .map((one) => this.#view(one));
  }

  /** The instance whose address this is. */
  machineAt(address: string): InstanceView | undefined {
    return this.listMachines().find((one) => one.address === address);
  }

  /** Lets only so many more instances start in a zone; null takes the limit away. */
  setCapacity(zone: string, instances: number | null): void {
    const { capacity } = this.#context.state;
    if (instances === null) capacity.delete(zone);
    else capacity.put(zone, instances);
  }

  ensureVpc(key: string, properties: Properties): DeployedVpc {
    return ensureVpc(this.#context.state, key, properties);
  }

  ensureSubnet(key: string, properties: Properties): { subnetId: string } {
    return ensureSubnet(this.#context.state, key, properties);
  }

  ensureSecurityGroup(key: string, properties: Properties): { groupId: string; vpcId: string } {
    return ensureSecurityGroup(this.#context.state, key, properties);
  }

  ensureLaunchTemplate(key: string, properties: Properties): DeployedLaunchTemplate {
    return ensureLaunchTemplate(this.#context.state, key, properties, this.#context.now());
  }

  #view(one: InstanceRecord): InstanceView {
    return {
      instanceId: one.instanceId,
      address: one.address,
      hostname: one.hostname,
      zone: one.zone,
      imageId: one.imageId,
      instanceType: one.instanceType,
      macAddress: this.#context.state.interfaces.get(one.networkInterfaceId)?.macAddress ?? "",
      instanceProfileArn: one.instanceProfileArn,
      launchedAt: one.launchedAt,
      tags: one.tags,
    };
  }
}
