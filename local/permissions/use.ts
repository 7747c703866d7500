import type { Caller } from "../endpoints/service.ts";

/** One call that a service of this environment was asked. */
export interface ServiceCall {
  /** As SigV4 names it. */
  readonly service: string;
  /** As the service's API names it. */
  readonly action: string;
  readonly input: unknown;
  readonly caller: Caller;
  /** What the service answered, where that is known already. */
  readonly errorCode?: string | null;
}

/** The circumstances of a call, by IAM's names for them. */
export type Circumstances = Readonly<Record<string, string>>;

/** What IAM would be asked about a call: may the caller do this with that, under these circumstances? */
export interface Question {
  /** As IAM names it, `service:Action`. */
  readonly action: string;
  /** An ARN; `*` where IAM knows no resource for the action. What is not made yet ends with `/*`. */
  readonly resource: string;
  readonly circumstances: Circumstances;
}

/** A question about a role. */
export interface PermissionUse extends Question {
  /** The role's name. */
  readonly role: string;
}

type Input = Readonly<Record<string, unknown>>;

/** What the questions about a call depend on beside the call itself. */
export interface Surroundings {
  readonly region: string;
  readonly account: string;
  readonly ec2: Ec2Surroundings;
  readonly iam: IamSurroundings;
  /** ARN of the key that a parameter is encrypted with; null where it is none of ours, or there is no parameter. */
  readonly keyOfParameter: (name: string) => string | null;
  /** ARN of the key that a bucket's objects are encrypted with. */
  readonly keyOfBucket: (bucket: string) => string | null;
}

export interface Ec2Surroundings {
  readonly tagsOf: (id: string) => Readonly<Record<string, string>>;
  readonly interfaceOf: (
    id: string,
  ) => { readonly subnetId: string; readonly groupIds: readonly string[] } | null;
  /** ARNs of the keys of the volumes in question. */
  readonly keyOfVolume: (volumeId: string) => string | null;
  readonly keysOfInstance: (instanceId: string) => readonly string[];
  readonly templateOf: (reference: Input) => LaunchTemplate | null;
  /** ARN of the role that an instance profile gives. */
  readonly roleOfProfile: (profile: string) => string | null;
}

/** Roles and instance profiles that were made at run time, by their names. */
export interface IamSurroundings {
  readonly roleArn: (role: string) => string | null;
  readonly profileArn: (profile: string) => string | null;
  readonly boundaryOf: (role: string) => string | null;
}

/** What a launch template says of what is launched from it. */
export interface LaunchTemplate {
  readonly id: string;
  readonly imageId: string | null;
  readonly profile: string | null;
  readonly tags: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly volumes: readonly { readonly encrypted: boolean; readonly keyArn: string | null }[];
}

/** The questions about one service's calls. @throws {ServiceError} for a call that the service itself refuses. */
export type Asking = (action: string, input: Input, surroundings: Surroundings) => readonly Question[];

/** A question without circumstances that a policy of ours speaks of. */
export const plain = (action: string, resource: string): Question => ({
  action,
  resource,
  circumstances: {},
});

/** Circumstances of a resource that has tags, or of a request that gives them. */
export function tagCircumstances(
  key: "aws:ResourceTag" | "aws:RequestTag" | "ssm:resourceTag",
  tags: Readonly<Record<string, string>>,
): Circumstances {
  return Object.fromEntries(Object.entries(tags).map(([name, value]) => [`${key}/${name}`, value]));
}
