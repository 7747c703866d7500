import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { readStage } from "../../infra/build/synth.ts";
import { type Deployment, deploy } from "../deploy/deploy.ts";
import { DynamoDbTables } from "../endpoints/dynamodb/tables.ts";
import { Faults } from "../endpoints/faults.ts";
import { guardPorts } from "../endpoints/guard-ports.ts";
import { RoleFacts } from "../endpoints/iam/roles.ts";
import { MetadataServer } from "../endpoints/imds.ts";
import { Recorder } from "../endpoints/recorder.ts";
import { ObjectStore } from "../endpoints/s3/store.ts";
import { writeAdministrationToken, writeAwsVariables } from "../environment/client-files.ts";
import type { EnvironmentPaths } from "../environment/paths.ts";
import { addressesOf, type EnvironmentSettings, tokenAudience } from "../environment/settings.ts";
import { HttpApi } from "../gateway/http-api.ts";
import { Tokens } from "../gateway/tokens.ts";
import { Timers } from "../lambda/timers.ts";
import { gatewayAddress } from "../machines/addresses.ts";
import { ensureNetwork } from "../machines/network.ts";
import { openPermissions } from "../permissions/open.ts";
import { Documents } from "../state/documents.ts";
import { LogFile } from "../state/log-file.ts";
import { Log } from "./log.ts";
import { openServices, type Services, zonesOf } from "./services.ts";
import { Stores } from "./stores.ts";

/** What `npm start` made ready before the control plane starts. */
export interface Prepared {
  readonly paths: EnvironmentPaths;
  readonly settings: EnvironmentSettings;
  readonly imagePath: string;
  readonly dynamoDbLibraries: string;
  readonly stageDirectory: string;
}

export interface ControlPlane {
  /** Starts machines that should run and do not. */
  repair(): Promise<void>;
  stop(): Promise<void>;
}

/** Machines boot in seconds; one that does not must not keep the API from the others. */
const machinesPatienceMs = 20_000;

interface Parts extends Prepared {
  readonly log: Log;
  readonly documents: Documents;
  readonly objects: ObjectStore;
  readonly services: Services;
}

/** Starts everything that answers, in the order in which one needs the other, and goes on with what was under way. */
export async function startControlPlane(
  prepared: Prepared,
  onProgress: (line: string) => void,
): Promise<ControlPlane> {
  const { paths, settings } = prepared;
  const log = new Log(new LogFile(join(paths.logs, "control-plane.log")));
  const documents = new Documents(paths.documents);
  await ensureNetwork(settings);
  await guardPorts(settings.bridge, [settings.ports.dynamoDb]);

  onProgress("starting DynamoDB Local and the object store");
  const permissions = await openPermissions({
    ...settings,
    file: paths.permissions,
    documents,
    onError: log.error,
  });
  const { onCall, refusal } = permissions;
  const records = { recorder: new Recorder(), faults: new Faults(), onCall, refusal };
  const stores = new Stores({ ...prepared, ...records, log });
  await stores.start();
  const objects = await ObjectStore.open({ directory: paths.objects, writer: "control-plane" });
  const services = await openServices({ ...prepared, ...records, documents, objects, log });
  const parts: Parts = { ...prepared, log, documents, objects, services };
  await services.endpoints.listen({ host: gatewayAddress(settings.cidr), port: settings.ports.aws });

  onProgress("deploying the stage");
  const deployment = await deployStage(parts);
  permissions.deployed(deployment);
  const metadata = await serveMetadata(parts);
  onProgress("starting machines that should run");
  await recover(parts);
  const timers = startTimers(parts, deployment);
  services.scheduler.start();
  const api = await serveApi(parts, deployment);
  await writeAwsVariables(paths, settings, services.identities.operator());
  await writeAdministrationToken(paths, services.identities.adminToken());
  await stores.announce();
  log.line("serving", { api: addressesOf(settings).api });

  return {
    repair: () => services.ec2.recover(),
    stop: async () => {
      timers.close();
      await services.scheduler.close();
      await api.close();
      await services.lambda.close();
      services.traces.close();
      services.ec2.close();
      await Promise.all([services.endpoints.close(), metadata.close()]);
      objects.close();
      await stores.stop();
      await permissions.close();
      documents.close();
    },
  };
}

async function deployStage({
  paths,
  settings,
  stageDirectory,
  documents,
  objects,
  services,
}: Parts): Promise<Deployment> {
  const { region, account } = settings;
  const { stacks } = await readStage(stageDirectory);
  return deploy(stacks, {
    documents,
    ec2: services.ec2,
    ssm: services.ssm,
    lambda: services.lambda,
    scheduler: services.scheduler,
    objects,
    tables: new DynamoDbTables({ endpoint: addressesOf(settings).dynamoDb, region }),
    region,
    account,
    zones: zonesOf(region),
    assetDirectory: paths.assets,
  });
}

async function serveMetadata({ documents, settings, services }: Parts): Promise<MetadataServer> {
  const roles = new RoleFacts(documents);
  const metadata = new MetadataServer({
    region: settings.region,
    account: settings.account,
    machineAt: (address) => services.ec2.machineAt(address),
    roleOf: (profile) => roles.roleOf(profile)?.name ?? null,
    issue: (session) => services.identities.issue(session),
  });
  await metadata.listen({ host: gatewayAddress(settings.cidr), port: settings.ports.metadata });
  return metadata;
}

/** Machines before executions: a workflow that goes on asks for its machines at once. */
async function recover({ services, log }: Parts): Promise<void> {
  services.ssm.recover();
  const machines = services.ec2.recover().catch(log.error);
  await Promise.race([machines, delay(machinesPatienceMs, undefined, { ref: false })]);
  services.lambda.recover();
}

function startTimers({ services, log }: Parts, deployment: Deployment): Timers {
  const timers = new Timers({
    invoke: (reference, payload) => services.lambda.invoke({ reference, payload, type: "Event" }),
    onError: log.error,
  });
  for (const rule of deployment.rules) timers.put(rule);
  return timers;
}

async function serveApi({ paths, settings, services, log }: Parts, deployment: Deployment): Promise<HttpApi> {
  // Whose tokens are taken is for the template to say, here as on AWS.
  const { authorizer } = deployment;
  const tokens = await Tokens.open({
    keyFile: paths.keys.tokens,
    issuer: authorizer?.issuer ?? addressesOf(settings).issuer,
    audience: authorizer?.audience ?? tokenAudience,
  });
  const api = new HttpApi({
    routes: deployment.routes,
    tokens,
    account: settings.account,
    apiId: settings.id,
    invoke: (reference, payload, trace) =>
      services.lambda.invoke({ reference, payload, ...(trace === undefined ? {} : { trace }) }),
    onRequest: (entry) => log.line("request", { ...entry }),
    onError: log.error,
  });
  await api.listen({ host: "127.0.0.1", port: settings.ports.api });
  return api;
}
