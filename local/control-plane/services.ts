import { join } from "node:path";
import { Ec2Service } from "../endpoints/ec2/service.ts";
import { Faults } from "../endpoints/faults.ts";
import { Identities } from "../endpoints/identities.ts";
import { Recorder } from "../endpoints/recorder.ts";
import { S3Front } from "../endpoints/s3/front.ts";
import type { ObjectStore } from "../endpoints/s3/store.ts";
import { EndpointServer } from "../endpoints/server.ts";
import { SsmService } from "../endpoints/ssm/service.ts";
import { StsService } from "../endpoints/sts.ts";
import type { EnvironmentPaths } from "../environment/paths.ts";
import { addressesOf, type EnvironmentSettings } from "../environment/settings.ts";
import { LambdaService } from "../lambda/service.ts";
import { NspawnDriver } from "../machines/nspawn.ts";
import type { Documents } from "../state/documents.ts";
import { ensureKeyFile } from "../state/key-file.ts";
import type { Log } from "./log.ts";

/** The AWS services of one environment, and the server that speaks their protocols. */
export interface Services {
  readonly identities: Identities;
  readonly ec2: Ec2Service;
  readonly ssm: SsmService;
  readonly lambda: LambdaService;
  readonly endpoints: EndpointServer;
}

const repository = join(import.meta.dirname, "..", "..");

/** Wires the services; none of them does anything before it is called. */
export async function openServices(options: {
  paths: EnvironmentPaths;
  settings: EnvironmentSettings;
  imagePath: string;
  documents: Documents;
  objects: ObjectStore;
  log: Log;
}): Promise<Services> {
  const { paths, settings, documents, log } = options;
  const { region, account, bridge, cidr } = settings;
  const addresses = addressesOf(settings);
  const onError = log.error;
  const identities = new Identities({ key: await ensureKeyFile(paths.keys.identities), account });
  const driver = new NspawnDriver({ stateDirectory: paths.state, bridge, cidr });
  const ec2 = new Ec2Service({
    documents,
    driver,
    imagePath: options.imagePath,
    account,
    region,
    zones: zonesOf(region),
    onError,
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
    node: process.execPath,
    runtimeModules: join(repository, "node_modules"),
    logDirectory: join(paths.logs, "functions"),
    endpointEnvironment: () => ({
      AWS_ENDPOINT_URL: addresses.aws,
      AWS_ENDPOINT_URL_DYNAMODB: addresses.dynamoDb,
    }),
    onError,
  });
  const recorder = new Recorder();
  const faults = new Faults();
  const endpoints = new EndpointServer({
    services: [ec2, ssm, lambda, new StsService({ account })],
    identities,
    recorder,
    faults,
    objects: new S3Front({ store: options.objects, recorder, faults }),
    onError,
  });
  return { identities, ec2, ssm, lambda, endpoints };
}

/** As the local stage's config names them. */
export function zonesOf(region: string): readonly string[] {
  return ["a", "b", "c"].map((letter) => `${region}${letter}`);
}
