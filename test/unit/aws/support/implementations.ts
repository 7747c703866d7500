import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CreateLaunchTemplateCommand,
  CreateSubnetCommand,
  CreateVpcCommand,
  DescribeImagesCommand,
  EC2Client,
} from "@aws-sdk/client-ec2";
import { CreateRoleCommand, IAMClient } from "@aws-sdk/client-iam";
import {
  CreateAliasCommand,
  CreateFunctionCommand,
  LambdaClient,
  PublishVersionCommand,
  Runtime,
  UpdateFunctionCodeCommand,
} from "@aws-sdk/client-lambda";
import { BucketLocationConstraint, CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { CreateScheduleGroupCommand, SchedulerClient } from "@aws-sdk/client-scheduler";
import { nodeDocumentContent } from "../../../../infra/constructs/node-document.ts";
import type { EnvironmentSettings } from "../../../../layers/domain/environment.ts";
import { Boundaries } from "../../../../local/endpoints/iam/boundaries.ts";
import { IamService } from "../../../../local/endpoints/iam/service.ts";
import { unwatched } from "../../../../local/endpoints/s3/foreign-store.ts";
import { S3Front } from "../../../../local/endpoints/s3/front.ts";
import { ObjectStore } from "../../../../local/endpoints/s3/store.ts";
import { SchedulerService } from "../../../../local/endpoints/scheduler/service.ts";
import { SsmService } from "../../../../local/endpoints/ssm/service.ts";
import type { CommandResult } from "../../../../local/machines/driver.ts";
import { Documents } from "../../../../local/state/documents.ts";
import { settings } from "../../../api/support/world.ts";
import { type Moto, startMoto } from "../../../world/moto.ts";
import { startEc2, zones } from "../../local/support/ec2.ts";
import { account, region } from "../../local/support/endpoints.ts";
import { PaperDriver } from "../../local/support/paper-driver.ts";

/** An AWS with what a deployment makes in it. */
export interface Implementation extends AsyncDisposable {
  readonly config: Moto["config"];
  readonly zone: string;
  readonly settings: EnvironmentSettings;
  /** What comes of a command that asks a node for what it sees: its answer, or the code of the failure. */
  readonly observed: unknown;
}

/** Policies take ARNs alone. */
const keyOf = (of: { readonly region: string; readonly account: string }) =>
  `arn:aws:kms:${of.region}:${of.account}:key/00000000-0000-0000-0000-000000000000`;
const group = "clusters";
const motoAccount = "123456789012";
const functionName = "f";
const versionedName = "versions";
export const versions = 3;
const functionRole = "function";
const aliasName = "live";
const bucket = "backups";
const nothingSeen = { members: [], dcs: { quorum: false, members: [] } };

export async function startMotoImplementation(): Promise<Implementation> {
  const moto = await startMoto();
  const { config } = moto;
  const zone = `${config.region}a`;
  const place = { region: config.region, account: motoAccount };
  try {
    await makeBucket(config);
    await makeScheduleGroup(config);
    await makeFunction(config);
    await makeVersions(config);
    return {
      config,
      zone,
      settings: { ...settingsIn(place), ...(await makeNetwork(config, zone)) },
      // Every command has succeeded at once, and no node has said anything.
      observed: "no-answer",
      [Symbol.asyncDispose]: () => moto[Symbol.asyncDispose](),
    };
  } catch (error) {
    await moto[Symbol.asyncDispose]();
    throw error;
  }
}

function settingsIn(place: { readonly region: string; readonly account: string }): EnvironmentSettings {
  const functions = `arn:aws:lambda:${place.region}:${place.account}:function`;
  const targetArn = `${functions}:${functionName}`;
  return {
    ...settings,
    keyId: keyOf(place),
    backups: { bucket },
    schedules: {
      group,
      roleArn: `arn:aws:iam::${place.account}:role/schedules`,
      targetArn,
    },
    workflows: {
      "create-cluster": `${targetArn}:${aliasName}`,
      "delete-cluster": `${functions}:${versionedName}:${aliasName}`,
    },
  };
}

async function makeNetwork(
  config: Moto["config"],
  zone: string,
): Promise<Pick<EnvironmentSettings, "vpcId" | "subnets" | "launchTemplateId">> {
  const client = new EC2Client(config);
  const { Vpc } = await client.send(new CreateVpcCommand({ CidrBlock: "10.0.0.0/16" }));
  const vpcId = Vpc?.VpcId ?? "";
  const { Subnet } = await client.send(
    new CreateSubnetCommand({ VpcId: vpcId, CidrBlock: "10.0.0.0/24", AvailabilityZone: zone }),
  );
  const { Images } = await client.send(new DescribeImagesCommand({ Owners: ["amazon"] }));
  const { LaunchTemplate } = await client.send(
    new CreateLaunchTemplateCommand({
      LaunchTemplateName: "node",
      LaunchTemplateData: { ImageId: Images?.[0]?.ImageId },
    }),
  );
  client.destroy();
  return {
    vpcId,
    subnets: { [zone]: Subnet?.SubnetId ?? "" },
    launchTemplateId: LaunchTemplate?.LaunchTemplateId ?? "",
  };
}

async function makeBucket(config: Moto["config"]): Promise<void> {
  const client = new S3Client({ ...config, forcePathStyle: true });
  const where = { LocationConstraint: BucketLocationConstraint.eu_central_1 };
  await client.send(new CreateBucketCommand({ Bucket: bucket, CreateBucketConfiguration: where }));
  client.destroy();
}

/** The smallest archive there is, which nothing unpacks: moto runs functions in containers unless it is told not to. */
const emptyArchive = Buffer.from(`PK\x05\x06${"\0".repeat(18)}`, "latin1");

async function makeFunction(config: Moto["config"]): Promise<void> {
  const told = { method: "POST", body: JSON.stringify({ lambda: { use_docker: false } }) };
  const answer = await fetch(`${config.endpoint}/moto-api/config`, told);
  if (!answer.ok) throw new Error(`moto does not take its configuration: ${answer.status}`);
  const iam = new IAMClient(config);
  await iam.send(new CreateRoleCommand({ RoleName: functionRole, AssumeRolePolicyDocument: "{}" }));
  iam.destroy();
  const client = new LambdaClient(config);
  await client.send(new CreateFunctionCommand({ ...functionNamed(functionName), Publish: true }));
  await client.send(
    new CreateAliasCommand({ FunctionName: functionName, Name: aliasName, FunctionVersion: "1" }),
  );
  client.destroy();
}

const functionNamed = (FunctionName: string) => ({
  FunctionName,
  Role: `arn:aws:iam::${motoAccount}:role/${functionRole}`,
  Runtime: Runtime.nodejs22x,
  Handler: "index.handler",
  Code: { ZipFile: emptyArchive },
});

/** A function whose code has changed, each time with a version; its alias is on the last one. */
async function makeVersions(config: Moto["config"]): Promise<void> {
  const client = new LambdaClient(config);
  const FunctionName = versionedName;
  await client.send(new CreateFunctionCommand(functionNamed(FunctionName)));
  for (let version = 1; version <= versions; version += 1) {
    await client.send(
      new UpdateFunctionCodeCommand({
        FunctionName,
        ZipFile: Buffer.concat([emptyArchive, Buffer.from([version])]),
      }),
    );
    await client.send(new PublishVersionCommand({ FunctionName }));
  }
  const alias = { FunctionName, Name: aliasName, FunctionVersion: String(versions) };
  await client.send(new CreateAliasCommand(alias));
  client.destroy();
}

async function makeScheduleGroup(config: Moto["config"]): Promise<void> {
  const client = new SchedulerClient(config);
  await client.send(new CreateScheduleGroupCommand({ Name: group }));
  client.destroy();
}

/** Nodes that see nothing, and say so. */
class SayingDriver extends PaperDriver {
  override async execute(instanceId: string, command: { argv: readonly string[] }): Promise<CommandResult> {
    const stdout = `${JSON.stringify({ ok: true, output: nothingSeen })}\n`;
    return { ...(await super.execute(instanceId, command)), stdout };
  }
}

const everything = JSON.stringify({
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }],
});

/** The endpoints of the local environment, with machines on paper. */
export async function startOwnImplementation(): Promise<Implementation> {
  const documents = new Documents(":memory:");
  const driver = new SayingDriver();
  const directory = await mkdtemp(join(tmpdir(), "pgherd-own-aws-"));
  const store = await ObjectStore.open({ directory, writer: "test" });
  await store.ensureBucket(bucket);
  const own = settingsIn({ region, account });
  const invoke = () => Promise.reject(new Error("no schedule fires here"));
  const scheduler = new SchedulerService({ documents, region, account, invoke });
  scheduler.ensureGroup(own.schedules.group);
  scheduler.letAssume(own.schedules.roleArn);
  new Boundaries(documents).put(own.nodeRoles.boundaryArn, everything);
  const ec2 = await startEc2(documents, driver, {
    services: (inventory) => {
      const machineEnvironment = { endpointUrl: "", region, serviceEndpointUrls: {} };
      const vaultKey = Buffer.alloc(32, 1);
      const ssm = new SsmService({
        documents,
        driver,
        inventory,
        vaultKey,
        region,
        account,
        machineEnvironment,
      });
      ssm.putDocument(own.nodeDocument, nodeDocumentContent());
      return [ssm, scheduler, new IamService({ documents, account })];
    },
    objects: new S3Front({ store, watch: unwatched }),
  });
  const { vpcId, launchTemplateId } = ec2;
  const [zone] = zones;
  return {
    config: ec2.operator,
    zone,
    settings: { ...own, vpcId, launchTemplateId, subnets: { [zone]: ec2.subnets[0] ?? "" } },
    observed: nothingSeen,
    [Symbol.asyncDispose]: async () => {
      await ec2.close();
      store.close();
      documents.close();
      await rm(directory, { recursive: true });
    },
  };
}
