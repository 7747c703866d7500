import { join } from "node:path";
import { readStage } from "../../infra/build/synth.ts";
import { deploy } from "../deploy/deploy.ts";
import { startDynamoDb } from "../endpoints/dynamodb/server.ts";
import { DynamoDbTables } from "../endpoints/dynamodb/tables.ts";
import { Ec2Service } from "../endpoints/ec2/service.ts";
import { Faults } from "../endpoints/faults.ts";
import { guardPorts } from "../endpoints/guard-ports.ts";
import { Identities } from "../endpoints/identities.ts";
import { MetadataServer } from "../endpoints/imds.ts";
import { Recorder } from "../endpoints/recorder.ts";
import { S3Front } from "../endpoints/s3/front.ts";
import { ObjectStore, startObjectStore } from "../endpoints/s3/store.ts";
import { EndpointServer } from "../endpoints/server.ts";
import { SsmService } from "../endpoints/ssm/service.ts";
import { StsService } from "../endpoints/sts.ts";
import {
  writeAdministrationToken,
  writeAwsVariables,
  writeEnvironmentFile,
} from "../environment/client-files.ts";
import type { EnvironmentPaths } from "../environment/paths.ts";
import { addressesOf, type EnvironmentSettings, tokenAudience } from "../environment/settings.ts";
import { HttpApi } from "../gateway/http-api.ts";
import { Tokens } from "../gateway/tokens.ts";
import { LambdaService } from "../lambda/service.ts";
import { Timers } from "../lambda/timers.ts";
import { gatewayAddress } from "../machines/addresses.ts";
import { ensureNetwork, redirectMetadata } from "../machines/network.ts";
import { NspawnDriver } from "../machines/nspawn.ts";
import { Documents } from "../state/documents.ts";
import { ensureKeyFile } from "../state/key-file.ts";
import { LogFile } from "../state/log-file.ts";
import { KeptChild } from "./children.ts";
import { Log } from "./log.ts";

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

const node = process.execPath;
const repository = join(import.meta.dirname, "..", "..");

/** Starts everything that answers, in the order in which one needs the other, and goes on with what was under way. */
export async function startControlPlane(
  prepared: Prepared,
  onProgress: (line: string) => void,
): Promise<ControlPlane> {
  const { paths, settings } = prepared;
  const { region, account, bridge, cidr, ports } = settings;
  const addresses = addressesOf(settings);
  const log = new Log(new LogFile(join(paths.logs, "control-plane.log")));
  const documents = new Documents(paths.documents);
  const identities = new Identities({ key: await ensureKeyFile(paths.keys.identities), account });
  const recorder = new Recorder();
  const faults = new Faults();

  await ensureNetwork(settings);
  await redirectMetadata(settings, ports.metadata);
  await guardPorts(bridge, [ports.dynamoDb]);

  onProgress("starting DynamoDB Local and the object store");
  const dynamoDb = keptDynamoDb(prepared, log);
  const objectStore = new KeptChild({
    name: "the object store",
    start: () => startObjectStore({ directory: paths.objects, node }),
    log: (line) => log.line(line),
  });
  await Promise.all([objectStore.start(), dynamoDb.start()]);
  const objects = new ObjectStore({ directory: paths.objects });
  const announce = (): Promise<void> =>
    writeEnvironmentFile(paths, settings, {
      controlPlane: process.pid,
      ...(dynamoDb.pid === null ? {} : { dynamoDb: dynamoDb.pid }),
      ...(objectStore.pid === null ? {} : { objectStore: objectStore.pid }),
    });
  dynamoDb.onChange = announce;
  objectStore.onChange = announce;

  const driver = new NspawnDriver({ stateDirectory: paths.state, bridge, cidr });
  const ec2 = new Ec2Service({
    documents,
    driver,
    imagePath: prepared.imagePath,
    account,
    region,
    zones: zonesOf(region),
    onError: log.error,
  });
  const ssm = new SsmService({
    documents,
    driver,
    inventory: ec2,
    vaultKey: await ensureKeyFile(paths.keys.vault),
    region,
    account,
    machineEnvironment: { endpointUrl: addresses.aws, region, serviceEndpointUrls: {} },
  });
  const lambda = new LambdaService({
    documents,
    identities,
    region,
    account,
    node,
    runtimeModules: join(repository, "node_modules"),
    logDirectory: join(paths.logs, "functions"),
    endpointEnvironment: () => ({
      AWS_ENDPOINT_URL: addresses.aws,
      AWS_ENDPOINT_URL_DYNAMODB: addresses.dynamoDb,
    }),
    onError: log.error,
  });
  const endpoints = new EndpointServer({
    services: [ec2, ssm, lambda, new StsService({ account })],
    identities,
    recorder,
    faults,
    objects: new S3Front({ store: objects, recorder, faults }),
    onError: log.error,
  });
  const gateway = gatewayAddress(cidr);
  await endpoints.listen({ host: gateway, port: ports.aws });
  onProgress("deploying the stage");
  const { stacks } = await readStage(prepared.stageDirectory);
  const deployment = await deploy(stacks, {
    documents,
    ec2,
    ssm,
    lambda,
    objects,
    tables: new DynamoDbTables({ endpoint: addresses.dynamoDb, region }),
    region,
    account,
    zones: zonesOf(region),
    assetDirectory: paths.assets,
  });
  const metadata = new MetadataServer({
    region,
    account,
    machineAt: (address) => ec2.machineAt(address),
    roleOf: deployment.roleOf,
    issue: (session) => identities.issue(session),
  });
  await metadata.listen({ host: gateway, port: ports.metadata });
  ssm.recover();
  onProgress("starting machines that should run");
  await ec2.recover();
  lambda.recover();

  const timers = new Timers({
    invoke: (reference, payload) => lambda.invoke({ reference, payload, type: "Event" }),
    onError: log.error,
  });
  for (const rule of deployment.rules) timers.put(rule);

  const tokens = await Tokens.open({
    keyFile: paths.keys.tokens,
    issuer: addresses.issuer,
    audience: tokenAudience,
  });
  const api = new HttpApi({
    routes: deployment.routes,
    tokens,
    account,
    apiId: settings.id,
    invoke: (integration, payload) => lambda.invoke({ reference: integration, payload }),
    onRequest: (entry) => log.line("request", { ...entry }),
    onError: log.error,
  });
  await api.listen({ host: "127.0.0.1", port: ports.api });
  await writeAwsVariables(paths, settings, identities.operator());
  await writeAdministrationToken(paths, identities.adminToken());
  await announce();
  log.line("serving", { api: addresses.api });

  return {
    repair: () => ec2.recover(),
    stop: async () => {
      timers.close();
      await api.close();
      await lambda.close();
      ec2.close();
      await Promise.all([endpoints.close(), metadata.close()]);
      objects.close();
      await Promise.all([dynamoDb.stop(), objectStore.stop()]);
      documents.close();
    },
  };
}

function keptDynamoDb({ paths, settings, dynamoDbLibraries }: Prepared, log: Log): KeptChild {
  return new KeptChild({
    name: "DynamoDB Local",
    start: () =>
      startDynamoDb({
        libraryDirectory: dynamoDbLibraries,
        port: settings.ports.dynamoDb,
        dataDirectory: paths.dynamoDb,
        logFile: join(paths.logs, "dynamodb.log"),
      }),
    log: (line) => log.line(line),
  });
}

/** As the local stage's config names them. */
function zonesOf(region: string): readonly string[] {
  return ["a", "b", "c"].map((letter) => `${region}${letter}`);
}
