import type { DynamoDbTables } from "../endpoints/dynamodb/tables.ts";
import type { Ec2Service } from "../endpoints/ec2/service.ts";
import type { ObjectStore } from "../endpoints/s3/store.ts";
import type { SchedulerService } from "../endpoints/scheduler/service.ts";
import type { SsmService } from "../endpoints/ssm/service.ts";
import type { Route } from "../gateway/routes.ts";
import type { LambdaService } from "../lambda/service.ts";
import type { TimerRule } from "../lambda/timers.ts";
import type { Documents } from "../state/documents.ts";
import type { Deployed } from "./intrinsics.ts";

/** What the resources of a template are made in. */
export interface DeployTargets {
  readonly documents: Documents;
  readonly ec2: Pick<
    Ec2Service,
    "ensureVpc" | "ensureSubnet" | "ensureSecurityGroup" | "ensureLaunchTemplate"
  >;
  readonly ssm: Pick<SsmService, "putDocument" | "deleteDocument">;
  readonly lambda: Pick<
    LambdaService,
    "createFunction" | "publishVersion" | "createAlias" | "deleteFunction" | "listFunctions"
  >;
  readonly scheduler: Pick<SchedulerService, "ensureGroup" | "deleteGroup" | "letAssume">;
  readonly objects: Pick<ObjectStore, "ensureBucket" | "has" | "putFile">;
  readonly tables: Pick<DynamoDbTables, "ensureTable" | "deleteTable">;
  readonly region: string;
  readonly account: string;
  readonly zones: readonly string[];
  /** Code of functions and layers is kept here, also that of versions which no template has any more. */
  readonly assetDirectory: string;
}

/** Whose tokens the HTTP API takes. */
export interface JwtAuthorizer {
  readonly issuer: string;
  readonly audience: readonly string[];
}

/** What one deployment collects on its way. */
export interface Collected {
  readonly routes: Route[];
  readonly rules: TimerRule[];
  /** Integration id → function that answers. */
  readonly integrations: Map<string, string>;
  /** Authorizer id → whose tokens it takes. */
  readonly authorizers: Map<string, JwtAuthorizer>;
  /** Bucket → ARN of the key that its objects are encrypted with. */
  readonly bucketKeys: Map<string, string>;
}

/** Where the code of an asset lies, by bucket and key. */
export type AssetDirectories = ReadonlyMap<string, string>;

export interface ResourceContext {
  readonly targets: DeployTargets;
  readonly collected: Collected;
  readonly assets: AssetDirectories;
  /** Unique in the environment and the same at every deployment: stack name and logical id. */
  readonly key: string;
  readonly logicalId: string;
}

export type Properties = Readonly<Record<string, unknown>>;

/** How one type of resource is made. Making it again finds what is there and brings it to the properties. */
export interface ResourceType {
  make(properties: Properties, context: ResourceContext): Promise<Deployed> | Deployed;
  /** Where a resource that left the template leaves something behind. What is already gone is removed. */
  remove?(ref: string, targets: DeployTargets): Promise<void> | void;
}
