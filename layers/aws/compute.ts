import { EC2Client, type EC2ClientConfig } from "@aws-sdk/client-ec2";
import type { EnvironmentSettings } from "../domain/environment.ts";
import type { Compute } from "../ports/compute.ts";
import { clientBehaviour } from "./clients.ts";
import { type Deadlines, deadlines, type Fleet } from "./compute/fleet.ts";
import * as instances from "./compute/instances.ts";
import * as interfaces from "./compute/network-interfaces.ts";
import * as groups from "./compute/security-groups.ts";
import { survey } from "./compute/survey.ts";
import { growVolume } from "./compute/volume-growth.ts";
import * as volumes from "./compute/volumes.ts";

/** The machines of clusters on EC2. Things are found by their tags and made with tokens from our own ids. */
export class Ec2Compute implements Compute {
  readonly #fleet: Fleet;

  constructor(
    settings: EnvironmentSettings,
    options: { config?: EC2ClientConfig; deadlines?: Partial<Deadlines> } = {},
  ) {
    this.#fleet = {
      client: new EC2Client({ ...clientBehaviour, ...options.config }),
      launcher: new EC2Client({ ...clientBehaviour, ...options.config, maxAttempts: 1 }),
      settings,
      deadlines: { ...deadlines, ...options.deadlines },
    };
  }

  ensureSecurityGroup: Compute["ensureSecurityGroup"] = (clusterId, rules) =>
    groups.ensureSecurityGroup(this.#fleet, clusterId, rules);
  applySecurityRules: Compute["applySecurityRules"] = (clusterId, rules) =>
    groups.applySecurityRules(this.#fleet, clusterId, rules);
  removeSecurityGroup: Compute["removeSecurityGroup"] = (clusterId) =>
    groups.removeSecurityGroup(this.#fleet, clusterId);
  unknownSecurityGroups: Compute["unknownSecurityGroups"] = (securityGroupIds) =>
    groups.unknownSecurityGroups(this.#fleet, securityGroupIds);
  securityGroupUse: Compute["securityGroupUse"] = (clusterId) =>
    groups.securityGroupUse(this.#fleet, clusterId);
  ensureNetworkInterface: Compute["ensureNetworkInterface"] = (place, securityGroupId) =>
    interfaces.ensureNetworkInterface(this.#fleet, place, securityGroupId);
  removeNetworkInterface: Compute["removeNetworkInterface"] = (clusterId, nodeId) =>
    interfaces.removeNetworkInterface(this.#fleet, clusterId, nodeId);
  removeNetworkInterfaceById: Compute["removeNetworkInterfaceById"] = (networkInterfaceId) =>
    interfaces.removeNetworkInterfaceById(this.#fleet, networkInterfaceId);
  ensureVolume: Compute["ensureVolume"] = (place, sizeGiB) =>
    volumes.ensureVolume(this.#fleet, place, sizeGiB);
  growVolume: Compute["growVolume"] = (volumeId, sizeGiB) => growVolume(this.#fleet, volumeId, sizeGiB);
  removeVolume: Compute["removeVolume"] = (clusterId, nodeId) =>
    volumes.removeVolume(this.#fleet, clusterId, nodeId);
  removeVolumeById: Compute["removeVolumeById"] = (volumeId) =>
    volumes.removeVolumeById(this.#fleet, volumeId);
  ensureInstance: Compute["ensureInstance"] = async (place, input) => {
    const instance = await instances.ensureInstance(this.#fleet, place, input);
    await volumes.attachVolume(this.#fleet, input.volumeId, instance.instanceId);
    return instance;
  };
  stopInstance: Compute["stopInstance"] = (instanceId, deadlineSeconds) =>
    instances.stopInstance(this.#fleet, instanceId, deadlineSeconds);
  startInstance: Compute["startInstance"] = (place, deadlineSeconds) =>
    instances.startInstance(this.#fleet, place, deadlineSeconds);
  removeInstance: Compute["removeInstance"] = (clusterId, nodeId) =>
    instances.removeInstance(this.#fleet, clusterId, nodeId);
  removeInstanceById: Compute["removeInstanceById"] = (instanceId) =>
    instances.removeInstanceById(this.#fleet, instanceId);
  survey: Compute["survey"] = (clusterId, rules) => survey(this.#fleet, clusterId, rules);
  listInstances: Compute["listInstances"] = (clusterId) => instances.listInstances(this.#fleet, clusterId);
}
