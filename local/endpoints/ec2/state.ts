import type { Collection, Documents } from "../../state/documents.ts";

/** What the EC2 endpoint keeps: one document per resource. Times are ISO 8601. */

export type Tags = Readonly<Record<string, string>>;

export interface VpcRecord {
  readonly vpcId: string;
  readonly cidr: string;
  readonly defaultGroupId: string;
  readonly tags: Tags;
}

export interface SubnetRecord {
  readonly subnetId: string;
  readonly vpcId: string;
  readonly cidr: string;
  readonly zone: string;
  readonly tags: Tags;
}

/** One line of a security group; a permission of the API is taken apart into these. */
export interface IngressRuleRecord {
  /** `-1` is every protocol. */
  readonly protocol: string;
  readonly fromPort: number;
  readonly toPort: number;
  readonly source: { readonly cidr: string } | { readonly groupId: string };
  readonly description: string | null;
}

export interface GroupRecord {
  readonly groupId: string;
  readonly groupName: string;
  readonly description: string;
  readonly vpcId: string;
  readonly ingress: readonly IngressRuleRecord[];
  readonly tags: Tags;
}

export interface InterfaceRecord {
  readonly networkInterfaceId: string;
  readonly subnetId: string;
  readonly vpcId: string;
  readonly zone: string;
  readonly address: string;
  readonly macAddress: string;
  readonly description: string;
  readonly groupIds: readonly string[];
  readonly attachment: {
    readonly attachmentId: string;
    readonly instanceId: string;
    readonly attachedAt: string;
    readonly deleteOnTermination: boolean;
  } | null;
  readonly tags: Tags;
}

export interface VolumeRecord {
  readonly volumeId: string;
  readonly zone: string;
  readonly sizeGiB: number;
  readonly volumeType: string;
  readonly iops: number | null;
  readonly throughput: number | null;
  readonly encrypted: boolean;
  readonly kmsKeyId: string | null;
  readonly createdAt: string;
  readonly state: "creating" | "available" | "in-use" | "deleting" | "error";
  readonly attachment: {
    readonly instanceId: string;
    readonly device: string;
    readonly attachedAt: string;
    readonly state: "attaching" | "attached" | "detaching";
  } | null;
  readonly modification: {
    readonly originalSizeGiB: number;
    readonly targetSizeGiB: number;
    readonly startedAt: string;
    /** Starts of this change and of those shortly before it, oldest first. */
    readonly starts?: readonly string[];
  } | null;
  readonly tags: Tags;
}

export type InstanceStateName =
  | "pending"
  | "running"
  | "shutting-down"
  | "terminated"
  | "stopping"
  | "stopped";

export interface InstanceRecord {
  readonly instanceId: string;
  readonly reservationId: string;
  readonly imageId: string;
  readonly instanceType: string;
  readonly launchTemplate: { readonly launchTemplateId: string; readonly version: number } | null;
  readonly instanceProfileArn: string | null;
  readonly zone: string;
  readonly subnetId: string;
  readonly vpcId: string;
  readonly networkInterfaceId: string;
  readonly address: string;
  readonly hostname: string;
  readonly clientToken: string | null;
  readonly launchedAt: string;
  readonly state: InstanceStateName;
  /** What its owner asked for last; the state follows. A machine that crashed is stopped and meant to run. */
  readonly intent: "run" | "stop" | "terminate";
  readonly stateReason: { readonly code: string; readonly message: string } | null;
  readonly terminatedAt: string | null;
  /** It has been running once: a failed boot is no failed launch. */
  readonly everRan: boolean;
  readonly tags: Tags;
}

export interface TemplateRecord {
  readonly launchTemplateId: string;
  readonly launchTemplateName: string;
  readonly createdAt: string;
  readonly defaultVersion: number;
  readonly versions: readonly TemplateVersion[];
  readonly tags: Tags;
}

export interface TemplateVersion {
  readonly version: number;
  readonly createdAt: string;
  readonly data: TemplateData;
}

/** What of a launch template matters to a machine, and all of it as CloudFormation wrote it. */
export interface TemplateData {
  readonly imageId: string | null;
  readonly instanceType: string | null;
  readonly instanceProfileArn: string | null;
  /** Resource type → tags for what is launched. */
  readonly tags: Readonly<Record<string, Tags>>;
  /** Volumes that come and go with the instance. */
  readonly volumes: readonly { readonly encrypted: boolean; readonly keyArn: string | null }[];
}

/** The answer that a client token got, to be given again. */
export interface TokenRecord {
  readonly fingerprint: string;
  readonly resourceId: string;
  readonly answer: Record<string, unknown>;
  readonly createdAt: string;
}

export class Ec2State {
  readonly documents: Documents;
  readonly vpcs: Collection<VpcRecord>;
  readonly subnets: Collection<SubnetRecord>;
  readonly groups: Collection<GroupRecord>;
  readonly interfaces: Collection<InterfaceRecord>;
  readonly volumes: Collection<VolumeRecord>;
  readonly instances: Collection<InstanceRecord>;
  readonly templates: Collection<TemplateRecord>;
  readonly tokens: Collection<TokenRecord>;
  /** Zone → instances that may still be started there; a zone without an entry has room for all. */
  readonly capacity: Collection<number>;

  constructor(documents: Documents) {
    this.documents = documents;
    this.vpcs = documents.collection("ec2-vpcs");
    this.subnets = documents.collection("ec2-subnets");
    this.groups = documents.collection("ec2-security-groups");
    this.interfaces = documents.collection("ec2-network-interfaces");
    this.volumes = documents.collection("ec2-volumes");
    this.instances = documents.collection("ec2-instances");
    this.templates = documents.collection("ec2-launch-templates");
    this.tokens = documents.collection("ec2-client-tokens");
    this.capacity = documents.collection("ec2-capacity");
  }

  volumesOf(instanceId: string): VolumeRecord[] {
    return this.volumes.list().filter((volume) => volume.attachment?.instanceId === instanceId);
  }
}
