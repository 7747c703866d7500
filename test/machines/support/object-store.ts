import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Faults } from "../../../local/endpoints/faults.ts";
import { Identities } from "../../../local/endpoints/identities.ts";
import { MetadataServer } from "../../../local/endpoints/imds.ts";
import { Recorder } from "../../../local/endpoints/recorder.ts";
import { ensureObjectCertificate, objectsHost } from "../../../local/endpoints/s3/certificate.ts";
import { type EndpointProgram, startObjectEndpoint } from "../../../local/endpoints/s3/endpoint-process.ts";
import { ObjectStore } from "../../../local/endpoints/s3/store.ts";
import { watchCalls } from "../../../local/endpoints/s3/watch.ts";
import { freeBlock } from "../../../local/environment/blocks.ts";
import { gatewayAddress } from "../../../local/machines/addresses.ts";
import type { MachineSpec } from "../../../local/machines/driver.ts";
import { redirectServices } from "../../../local/machines/network.ts";
import { ensureKeyFile } from "../../../local/state/key-file.ts";
import { Lab } from "./machines.ts";

export const region = "local-1";
export const bucket = "pgherd-lab-backups";
export const roleName = "node";
const account = "000000000000";

/** A lab whose machines reach S3 and their role's credentials, as those of an environment do. */
export class ObjectLab {
  readonly lab: Lab;
  readonly recorder = new Recorder();
  readonly faults = new Faults();
  readonly #directory: string;
  readonly #store: ObjectStore;
  readonly #metadata: MetadataServer;
  readonly #machines: MachineSpec[] = [];
  #metadataPort = 0;
  #endpoint: EndpointProgram | null = null;

  private constructor(lab: Lab, directory: string, store: ObjectStore, identities: Identities) {
    this.lab = lab;
    this.#directory = directory;
    this.#store = store;
    this.#metadata = new MetadataServer({
      region,
      account,
      machineAt: (address) => this.#instanceAt(address),
      roleOf: () => roleName,
      issue: (session) => identities.issue(session),
    });
  }

  static async create(imagePath: string): Promise<ObjectLab> {
    const directory = await mkdtemp(join(tmpdir(), "pgherd-objects-"));
    const { authority } = await ensureObjectCertificate(certificateIn(directory), region);
    const store = await ObjectStore.open({ directory, writer: "control-plane" });
    await store.ensureBucket(bucket);
    const key = await ensureKeyFile(identitiesIn(directory));
    const cidr = await freeBlock();
    const names = { [objectsHost(region)]: gatewayAddress(cidr) };
    const lab = await Lab.create(imagePath, { cidr, names, authority });
    const made = new ObjectLab(lab, directory, store, new Identities({ key, account }));
    made.#metadataPort = await made.#metadata.listen({ host: gatewayAddress(lab.cidr), port: 0 });
    await made.startEndpoint();
    return made;
  }

  machine(host: number): MachineSpec {
    const machine = this.lab.machine(host);
    this.#machines.push(machine);
    return machine;
  }

  async startEndpoint(): Promise<void> {
    const { lab } = this;
    this.#endpoint = await startObjectEndpoint({
      directory: this.#directory,
      host: gatewayAddress(lab.cidr),
      region,
      account,
      certificateFile: certificateIn(this.#directory),
      identitiesFile: identitiesIn(this.#directory),
      node: process.execPath,
      watch: watchCalls(this),
    });
    const ports = { metadata: this.#metadataPort, objects: this.#endpoint.port };
    await redirectServices({ bridge: lab.bridge, cidr: lab.cidr }, ports);
  }

  async killEndpoint(): Promise<void> {
    if (this.#endpoint === null) return;
    process.kill(this.#endpoint.pid, "SIGKILL");
    await this.#endpoint.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab[Symbol.asyncDispose]();
    await this.#endpoint?.stop();
    await this.#metadata.close();
    this.#store.close();
    await rm(this.#directory, { recursive: true, force: true });
  }

  #instanceAt(address: string) {
    const machine = this.#machines.find((known) => known.interface.address === address);
    if (machine === undefined) return undefined;
    return {
      instanceId: machine.instanceId,
      address,
      hostname: machine.hostname,
      zone: machine.interface.zone,
      imageId: "ami-00010ca1",
      instanceType: "t4g.small",
      macAddress: machine.interface.macAddress,
      instanceProfileArn: `arn:aws:iam::${account}:instance-profile/node`,
      launchedAt: new Date().toISOString(),
      tags: {},
    };
  }
}

const certificateIn = (directory: string) => join(directory, "objects.pem");
const identitiesIn = (directory: string) => join(directory, "identities");
