import { join } from "node:path";
import { Ec2Service } from "../endpoints/ec2/service.ts";
import type { Faults } from "../endpoints/faults.ts";
import { IamService } from "../endpoints/iam/service.ts";
import { Identities } from "../endpoints/identities.ts";
import type { Recorder } from "../endpoints/recorder.ts";
import { ensureObjectCertificate, objectsHost } from "../endpoints/s3/certificate.ts";
import { S3Front } from "../endpoints/s3/front.ts";
import type { ObjectStore } from "../endpoints/s3/store.ts";
import { watchCalls } from "../endpoints/s3/watch.ts";
import { SchedulerService } from "../endpoints/scheduler/service.ts";
import { EndpointServer } from "../endpoints/server.ts";
import { SsmService } from "../endpoints/ssm/service.ts";
import { StsService } from "../endpoints/sts.ts";
import type { EnvironmentPaths } from "../environment/paths.ts";
import { addressesOf, type EnvironmentSettings } from "../environment/settings.ts";
import { LambdaService } from "../lambda/service.ts";
import { Traces } from "../lambda/traces.ts";
import { gatewayAddress } from "../machines/addresses.ts";
import { NspawnDriver } from "../machines/nspawn.ts";
import type { Refusal } from "../permissions/refuse.ts";
import type { CallListener } from "../permissions/watch.ts";
import type { Documents } from "../state/documents.ts";
import { ensureKeyFile } from "../state/key-file.ts";
import { LogFile } from "../state/log-file.ts";
import { announceForeignStore } from "./foreign-store.ts";
import type { Log } from "./log.ts";

/** The AWS services of one environment, and the server that speaks their protocols. */
export interface Services {
  readonly identities: Identities;
  readonly ec2: Ec2Service;
  readonly ssm: SsmService;
  readonly lambda: LambdaService;
  readonly scheduler: SchedulerService;
  readonly endpoints: EndpointServer;
  readonly traces: Traces;
}

const repository = join(import.meta.dirname, "..", "..");

/** Wires the services; none of them does anything before it is called. */
export async function openServices(options: {
  paths: EnvironmentPaths;
  settings: EnvironmentSettings;
  imagePath: string;
  documents: Documents;
  objects: ObjectStore;
  recorder: Recorder;
  faults: Faults;
  onCall: CallListener;
  refusal: Refusal;
  log: Log;
}): Promise<Services> {
  const { paths, settings, documents, recorder, faults, onCall, refusal, log } = options;
  const { region, account, bridge, cidr } = settings;
  const addresses = addressesOf(settings);
  const onError = log.error;
  const identities = new Identities({ key: await ensureKeyFile(paths.keys.identities), account });
  const { authority } = await ensureObjectCertificate(paths.keys.objects, region);
  const foreignAuthority = await announceForeignStore(paths, settings);
  const driver = new NspawnDriver({
    stateDirectory: paths.state,
    bridge,
    cidr,
    names: { [objectsHost(region)]: gatewayAddress(cidr) },
    authority: `${authority}${foreignAuthority}`,
  });
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
  const traces = await Traces.open(new LogFile(join(paths.logs, "traces.jsonl")));
  const lambda = new LambdaService({
    documents,
    identities,
    region,
    account,
    node: process.execPath,
    runtimeModules: join(repository, "node_modules"),
    logDirectory: join(paths.logs, "functions"),
    traces,
    endpointEnvironment: () => ({
      AWS_ENDPOINT_URL: addresses.aws,
      AWS_ENDPOINT_URL_DYNAMODB: addresses.dynamoDb,
      // A public authority would have signed it elsewhere.
      NODE_EXTRA_CA_CERTS: paths.foreignAuthority,
    }),
    onCall,
    onError,
  });
  const scheduler = new SchedulerService({
    documents,
    region,
    account,
    invoke: (reference, payload) => lambda.invoke({ reference, payload, type: "Event" }),
    recorder,
    onCall,
    onError,
  });
  const endpoints = new EndpointServer({
    services: [
      ec2,
      ssm,
      lambda,
      scheduler,
      new IamService({ documents, account }),
      new StsService({ account }),
    ],
    identities,
    recorder,
    faults,
    objects: new S3Front({
      store: options.objects,
      watch: watchCalls({ recorder, faults, onCall, refusal }),
      onError,
    }),
    onCall,
    refusal,
    onError,
  });
  return { identities, ec2, ssm, lambda, scheduler, endpoints, traces };
}

/** As the local stage's config names them. */
export function zonesOf(region: string): readonly string[] {
  return ["a", "b", "c"].map((letter) => `${region}${letter}`);
}
