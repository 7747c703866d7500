import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freeBlock } from "../../../local/environment/blocks.ts";
import { removeEverything } from "../../../local/machines/cleanup.ts";
import type { MachineSpec } from "../../../local/machines/driver.ts";
import { ensureNodeImage } from "../../../local/machines/image.ts";
import { ensureNetwork } from "../../../local/machines/network.ts";
import { NspawnDriver, type NspawnDriverOptions } from "../../../local/machines/nspawn.ts";

const recipeDirectory = join(import.meta.dirname, "../../../infra/node-image");

/** The image that all tests boot; built when the cache has none. */
export async function nodeImage(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "pgherd-loader-"));
  try {
    const loaderPath = join(directory, "run");
    await writeFile(loaderPath, "#!/bin/sh\necho loader\n", { mode: 0o755 });
    const cacheDirectory = process.env["PGHERD_CACHE_DIR"] ?? "/var/cache/pgherd";
    return (await ensureNodeImage({ cacheDirectory, recipeDirectory, loaderPath })).path;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

type Surroundings = Pick<NspawnDriverOptions, "names" | "authority">;

/** Machines of one environment in a state directory of their own. */
export class Lab {
  readonly state: string;
  readonly bridge: string;
  readonly cidr: string;
  readonly driver: NspawnDriver;
  readonly #imagePath: string;
  readonly #surroundings: Surroundings;

  private constructor(state: string, imagePath: string, cidr: string, surroundings: Surroundings) {
    this.state = state;
    this.#surroundings = surroundings;
    this.bridge = `pgt${randomBytes(3).toString("hex")}`;
    this.#imagePath = imagePath;
    this.cidr = cidr;
    this.driver = this.anotherDriver();
  }

  /** @param cidr from `freeBlock`; a free one, where nothing has to be known of it before. */
  static async create(
    imagePath: string,
    { cidr, ...surroundings }: Surroundings & { readonly cidr?: string } = {},
  ): Promise<Lab> {
    const state = await mkdtemp(join(tmpdir(), "pgherd-machines-"));
    const lab = new Lab(state, imagePath, cidr ?? (await freeBlock()), surroundings);
    await ensureNetwork({ bridge: lab.bridge, cidr: lab.cidr });
    return lab;
  }

  /** As a control plane that starts again has it. */
  anotherDriver(): NspawnDriver {
    return new NspawnDriver({
      stateDirectory: this.state,
      bridge: this.bridge,
      cidr: this.cidr,
      ...this.#surroundings,
    });
  }

  /** @param interfaceOf an earlier machine whose interface this one takes over. */
  machine(host: number, interfaceOf?: MachineSpec): MachineSpec {
    const id = randomBytes(8).toString("hex");
    return {
      instanceId: `i-0${id}`,
      hostname: `machine-${host}`,
      imagePath: this.#imagePath,
      interface: interfaceOf?.interface ?? {
        networkInterfaceId: `eni-0${id}`,
        address: this.cidr.replace(/0\/\d+$/, String(host)),
        macAddress: `02:00:00:00:00:${host.toString(16).padStart(2, "0")}`,
        zone: "local-1a",
      },
    };
  }

  /** What a shell in the machine prints. */
  async shell(machine: MachineSpec, script: string, timeoutSeconds = 20): Promise<string> {
    const result = await this.driver.execute(machine.instanceId, {
      argv: ["/bin/sh", "-c", script],
      environment: {},
      timeoutSeconds,
      outputBytesMax: 64 * 1024,
    });
    if (result.exitCode !== 0) throw new Error(`${script}: ${result.exitCode} ${result.stderr}`);
    return result.stdout.trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await removeEverything(this.state, { bridge: this.bridge });
    await rm(this.state, { recursive: true, force: true });
  }
}

/** Longer than a packet takes on one machine, shorter than a retransmission. */
const connectTimeoutMs = 700;

export function canConnect(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.setTimeout(connectTimeoutMs, () => end(false));
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });
}
