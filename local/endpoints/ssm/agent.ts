import type { MachineDriver } from "../../machines/driver.ts";

/** A machine as the SSM endpoint sees it: what `DescribeInstanceInformation` and tag targets need. */
export interface ManagedMachine {
  readonly instanceId: string;
  readonly address: string;
  readonly hostname: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** The environment's machines that have not been terminated, running or not. The EC2 endpoint knows them. */
export interface MachineInventory {
  listMachines(): readonly ManagedMachine[];
}

/** What a machine has to know to reach the AWS endpoints; its credentials come from instance metadata. */
export interface MachineEnvironment {
  readonly endpointUrl: string;
  readonly region: string;
  /** Where a service has an address of its own: `AWS_ENDPOINT_URL_S3` and the like. */
  readonly serviceEndpointUrls: Readonly<Record<string, string>>;
}

const agentFile = "/etc/pgherd/aws.env";
/** Writing one small file; longer means that the machine does not answer. */
const contactTimeoutSeconds = 10;
const contactOutputBytesMax = 4096;
const contactScript = `umask 022 && mkdir -p /etc/pgherd && cat > ${agentFile}.new && mv ${agentFile}.new ${agentFile}`;

function agentEnvironment(environment: MachineEnvironment): Record<string, string> {
  const services = Object.entries(environment.serviceEndpointUrls).map(([service, url]): [string, string] => [
    `AWS_ENDPOINT_URL_${service.toUpperCase()}`,
    url,
  ]);
  return {
    AWS_ENDPOINT_URL: environment.endpointUrl,
    AWS_REGION: environment.region,
    AWS_DEFAULT_REGION: environment.region,
    ...Object.fromEntries(services),
  };
}

/** Stands in for the SSM agent of every machine: a machine is online once it has been told where AWS is. */
export class Agents {
  readonly #driver: MachineDriver;
  readonly #environment: Record<string, string>;
  readonly #contacts = new Map<string, Promise<void>>();

  constructor(options: { driver: MachineDriver; environment: MachineEnvironment }) {
    this.#driver = options.driver;
    this.#environment = agentEnvironment(options.environment);
  }

  get environment(): Readonly<Record<string, string>> {
    return this.#environment;
  }

  async isOnline(instanceId: string): Promise<boolean> {
    if (!(await this.#driver.isRunning(instanceId))) {
      this.#contacts.delete(instanceId);
      return false;
    }
    let contact = this.#contacts.get(instanceId);
    if (contact === undefined) {
      contact = this.#introduce(instanceId);
      this.#contacts.set(instanceId, contact);
    }
    try {
      await contact;
      return true;
    } catch {
      // It runs and does not take commands yet: offline for now, asked again at the next call.
      this.#contacts.delete(instanceId);
      return false;
    }
  }

  async #introduce(instanceId: string): Promise<void> {
    const lines = Object.entries(this.#environment).map(([name, value]) => `${name}=${value}\n`);
    const result = await this.#driver.execute(instanceId, {
      argv: ["/bin/sh", "-c", contactScript],
      environment: {},
      stdin: lines.join(""),
      timeoutSeconds: contactTimeoutSeconds,
      outputBytesMax: contactOutputBytesMax,
    });
    if (result.exitCode !== 0) throw new Error(`${instanceId} refused its agent file: ${result.stderr}`);
  }
}
