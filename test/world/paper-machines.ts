import {
  momentaryVerbs,
  type NodeCommands,
  type NodeRestore,
  type NodeVerb,
  nodeVerbs,
} from "../../layers/domain/node/index.ts";
import type { CommandResult, MachineDriver, MachineSpec } from "../../local/machines/driver.ts";
import { PaperBackups } from "./paper-backups.ts";
import { certificateRequest } from "./paper-certificates.ts";
import { PaperDcs } from "./paper-dcs.ts";
import { PaperDrills } from "./paper-drills.ts";
import { PaperInPlace } from "./paper-in-place.ts";
import { PaperLogical } from "./paper-logical.ts";
import { PaperMaintenance, type ReadSecret } from "./paper-maintenance.ts";

/** How a verb goes on a paper machine. `silent`: the command runs for ever. */
export type VerbBehaviour =
  | { readonly kind: "fails"; readonly code: string; readonly message: string }
  | { readonly kind: "crashes"; readonly stderr: string }
  | { readonly kind: "silent" };

interface PaperMachine {
  readonly spec: MachineSpec;
  isRunning: boolean;
  readonly volumes: Set<string>;
  /** What the node program finished, by command: asked again, it answers without doing it again. */
  readonly finished: Map<string, unknown>;
}

interface PaperCluster {
  readonly configured: Map<string, { readonly instanceId: string; readonly peers: readonly string[] }>;
  hasDatabase: boolean;
}

/** Machines that boot at once and whose node program is a small model of the real one's promises. */
export class PaperMachines implements MachineDriver {
  readonly machines = new Map<string, PaperMachine>();
  readonly volumes = new Set<string>();
  readonly sizesGiB = new Map<string, number>();
  /** `<verb> <node>` for everything that was really done, not only answered again. */
  readonly done: string[] = [];
  readonly behaviours = new Map<NodeVerb, VerbBehaviour>();
  /** Of the nodes by id: by default the last one leads, so that whoever takes the first for the leader is found out. */
  leaderIndex = -1;
  /** Instances that boot but whose agent never answers. */
  isDeaf = false;
  /** Set: no machine boots, for this reason. */
  bootFailure: string | null = null;
  /** Parameter Store, as a node's role lets it read. */
  readSecret: ReadSecret = async () => null;
  /** Whether the role of a cluster's nodes lets them read the pass of a cluster's backups. */
  mayRead: (clusterId: string, owner: string) => boolean = () => true;
  readonly maintenance = new PaperMaintenance(() => this.readSecret);
  readonly dcs = new PaperDcs();
  readonly backups = new PaperBackups();
  readonly logical = new PaperLogical();
  readonly drills = new PaperDrills();
  readonly inPlace = new PaperInPlace();
  /** Node → where its data was to come from, at each of its configurations. */
  readonly restores = new Map<string, (NodeRestore | null)[]>();
  /** Node → where it archives to, at each of its configurations. */
  readonly repositories = new Map<string, NodeCommands["configure"]["input"]["backups"][]>();
  readonly #clusters = new Map<string, PaperCluster>();
  /** Bucket and path → the cluster and the shard that it is of. */
  readonly #owners = new Map<string, string>();

  async boot(spec: MachineSpec): Promise<void> {
    if (this.bootFailure !== null) throw new Error(this.bootFailure);
    const machine = this.machines.get(spec.instanceId);
    if (machine !== undefined) {
      machine.isRunning = true;
      this.#startServices(spec.instanceId);
    } else {
      const fresh = {
        spec,
        isRunning: true,
        volumes: new Set<string>(),
        finished: new Map<string, unknown>(),
      };
      this.machines.set(spec.instanceId, fresh);
    }
  }

  async stop(instanceId: string): Promise<void> {
    const machine = this.machines.get(instanceId);
    if (machine !== undefined) machine.isRunning = false;
  }

  kill(instanceId: string): Promise<void> {
    return this.stop(instanceId);
  }

  async remove(instanceId: string): Promise<void> {
    this.machines.delete(instanceId);
  }

  async isRunning(instanceId: string): Promise<boolean> {
    return this.machines.get(instanceId)?.isRunning ?? false;
  }

  async exitStatus(): Promise<number | null> {
    return null;
  }

  async execute(
    instanceId: string,
    command: Parameters<MachineDriver["execute"]>[1],
  ): Promise<CommandResult> {
    const machine = this.machines.get(instanceId);
    if (machine?.isRunning !== true) throw new Error(`${instanceId} is not running`);
    if (this.isDeaf) throw new Error(`${instanceId} takes no commands`);
    const verb = command.environment["SSM_Verb"];
    if (verb === undefined) return { exitCode: 0, stdout: "", stderr: "" };
    return this.#runVerb(machine, verb as NodeVerb, command.environment);
  }

  async createVolume(volumeId: string, sizeGiB: number): Promise<void> {
    this.volumes.add(volumeId);
    this.sizesGiB.set(volumeId, sizeGiB);
  }
  async resizeVolume(volumeId: string, sizeGiB: number): Promise<void> {
    this.sizesGiB.set(volumeId, sizeGiB);
  }
  async removeVolume(volumeId: string): Promise<void> {
    this.volumes.delete(volumeId);
  }
  async attachVolume(volumeId: string, instanceId: string): Promise<void> {
    this.machines.get(instanceId)?.volumes.add(volumeId);
  }
  async detachVolume(volumeId: string, instanceId: string): Promise<void> {
    this.machines.get(instanceId)?.volumes.delete(volumeId);
  }
  async applyIngress(): Promise<void> {}

  async #runVerb(
    machine: PaperMachine,
    verb: NodeVerb,
    environment: Readonly<Record<string, string>>,
  ): Promise<CommandResult> {
    const behaviour = this.behaviours.get(verb);
    switch (behaviour?.kind) {
      case "silent":
        return new Promise<never>(() => undefined);
      case "crashes":
        return { exitCode: 137, stdout: "", stderr: behaviour.stderr };
      case "fails":
        return answer(1, { ok: false, error: { code: behaviour.code, message: behaviour.message } });
      case undefined:
        break;
    }
    const { SSM_Input: text = "", SSM_Operation: operation, SSM_Step: step } = environment;
    const key = [operation, step, verb, text].join(" ");
    if (momentaryVerbs.includes(verb) || !machine.finished.has(key)) {
      const input: unknown = JSON.parse(Buffer.from(text, "base64").toString());
      try {
        machine.finished.set(key, await this.#do(machine, verb, input));
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        return answer(1, { ok: false, error: { code: "refused", message } });
      }
    }
    return answer(0, { ok: true, output: machine.finished.get(key) });
  }

  async #do(machine: PaperMachine, verb: NodeVerb, raw: unknown): Promise<unknown> {
    switch (verb) {
      case "prepare":
        return this.#prepare(machine, nodeVerbs.prepare.input.parse(raw));
      case "configure":
        return this.#configure(machine, nodeVerbs.configure.input.parse(raw));
      case "await-members":
        return this.#awaitMembers(nodeVerbs["await-members"].input.parse(raw));
      case "apply-database":
        return this.#applyDatabase(machine, nodeVerbs["apply-database"].input.parse(raw));
      case "verify":
        return this.#verify(nodeVerbs.verify.input.parse(raw));
      default:
        return this.#maintain(verb, raw);
    }
  }

  /** Services that were stopped come up with their machine. */
  #startServices(instanceId: string): void {
    for (const [clusterId, { configured }] of this.#clusters) {
      for (const [nodeId, node] of configured) {
        if (node.instanceId === instanceId) this.maintenance.booted(clusterId, nodeId);
      }
    }
  }

  async #maintain(verb: NodeVerb, raw: unknown): Promise<unknown> {
    const { clusterId, nodeId } = raw as { clusterId: string; nodeId: string };
    const { configured } = this.#cluster(clusterId);
    if (verb === "load-database") {
      const { load } = nodeVerbs[verb].input.parse(raw);
      this.#mustRead(clusterId, load.source.clusterId);
    }
    const place = {
      nodeIds: this.inPlace.ordered(clusterId, [...configured.keys()].toSorted()),
      database: (id: string) => this.maintenance.database(id),
      isUp: (id: string) => this.machines.get(configured.get(id)?.instanceId ?? "")?.isRunning ?? false,
    };
    const output =
      this.dcs.do(verb, raw, place) ??
      this.backups.do(verb, raw, place) ??
      this.logical.do(verb, raw, place) ??
      this.drills.do(verb, raw) ??
      (await this.inPlace.do(verb, raw, place)) ??
      (await this.maintenance.do(verb, raw, place));
    this.done.push(`${verb} ${nodeId}`);
    return output;
  }

  #mustRead(clusterId: string, owner: string): void {
    must(this.mayRead(clusterId, owner), `nodes of ${clusterId} may not read the backups of ${owner}`);
  }

  async #prepare(
    machine: PaperMachine,
    input: NodeCommands["prepare"]["input"],
  ): Promise<NodeCommands["prepare"]["output"]> {
    must(machine.volumes.has(input.volumeId), `volume ${input.volumeId} is not attached`);
    must(machine.spec.interface.address === input.address, `the address is not ${input.address}`);
    this.done.push(`prepare ${input.nodeId}`);
    return { certificateRequest: await certificateRequest() };
  }

  #configure(
    machine: PaperMachine,
    input: NodeCommands["configure"]["input"],
  ): NodeCommands["configure"]["output"] {
    const peers = input.peers.map((peer) => peer.nodeId);
    must(peers.includes(input.nodeId), "the node is not among its peers");
    if (input.restore !== null) this.#mustRead(input.clusterId, input.restore.source.clusterId);
    const { configured } = this.#cluster(input.clusterId);
    configured.set(input.nodeId, { instanceId: machine.spec.instanceId, peers });
    this.dcs.configured(input, (id) => {
      return this.machines.get(configured.get(id)?.instanceId ?? "")?.isRunning ?? false;
    });
    this.maintenance.booted(input.clusterId, input.nodeId);
    this.#claim(input);
    this.restores.set(input.nodeId, [...(this.restores.get(input.nodeId) ?? []), input.restore]);
    this.repositories.set(input.nodeId, [...(this.repositories.get(input.nodeId) ?? []), input.backups]);
    this.done.push(`configure ${input.nodeId}`);
    return { changed: ["patroni.yml"] };
  }

  /** Two clusters that archive to one path would overwrite each other's WAL. */
  #claim({ backups, clusterId, nodeId, peers }: NodeCommands["configure"]["input"]): void {
    if (backups === null) return;
    const place = JSON.stringify([backups.store?.endpoint, backups.bucket, backups.prefix]);
    const owner = `${clusterId} ${peers.find((peer) => peer.nodeId === nodeId)?.shard}`;
    must((this.#owners.get(place) ?? owner) === owner, `${place} belongs to ${this.#owners.get(place)}`);
    this.#owners.set(place, owner);
  }

  #awaitMembers(input: NodeCommands["await-members"]["input"]): NodeCommands["await-members"]["output"] {
    const { configured } = this.#cluster(input.clusterId);
    const up = [...configured.values()].filter((one) => this.machines.get(one.instanceId)?.isRunning);
    must(up.length === input.members, `${up.length} of ${input.members} members run`);
    this.done.push(`await-members ${input.nodeId}`);
    return { leader: [...configured.keys()].toSorted().at(this.leaderIndex) ?? "" };
  }

  #applyDatabase(
    machine: PaperMachine,
    input: NodeCommands["apply-database"]["input"],
  ): NodeCommands["apply-database"]["output"] {
    const cluster = this.#cluster(input.clusterId);
    const leader = [...cluster.configured.keys()].toSorted().at(this.leaderIndex);
    must(input.nodeId === leader, `${input.nodeId} is not the leader`);
    must(
      cluster.configured.get(input.nodeId)?.instanceId === machine.spec.instanceId,
      "sent to another machine",
    );
    cluster.hasDatabase = true;
    this.done.push(`apply-database ${input.nodeId}`);
    return { extensions: input.extensions.map((name) => ({ name, version: "1.0" })) };
  }

  #verify(input: NodeCommands["verify"]["input"]): NodeCommands["verify"]["output"] {
    must(this.#cluster(input.clusterId).hasDatabase, "there is no database");
    this.done.push(`verify ${input.nodeId}`);
    return {};
  }

  #cluster(clusterId: string): PaperCluster {
    const known = this.#clusters.get(clusterId);
    if (known !== undefined) return known;
    const fresh: PaperCluster = { configured: new Map(), hasDatabase: false };
    this.#clusters.set(clusterId, fresh);
    return fresh;
  }
}

function answer(exitCode: number, body: unknown): CommandResult {
  return { exitCode, stdout: `${JSON.stringify(body)}\n`, stderr: "" };
}

function must(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
