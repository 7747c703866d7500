import { configurationOf } from "../../functions/workflows/node-configuration.ts";
import type { Cluster } from "../../layers/domain/index.ts";
import {
  momentaryVerbs,
  type NodeCommands,
  type NodeIntent,
  type NodeVerb,
  nodeVerbs,
  type ObservedPlace,
} from "../../layers/domain/node/index.ts";
import { CommandError, type CommandTarget, type NodeCommandPort } from "../../layers/ports/index.ts";
import { revisionOf } from "../../layers/runtime/index.ts";
import type { Cloud } from "./cloud.ts";
import { certificateRequest } from "./paper-certificates.ts";
import { type EtcdMember, PaperEtcd } from "./paper-etcd.ts";
import { assess, inspection, stateOf } from "./paper-inspection.ts";
import { PaperNodes, servicesOf } from "./paper-nodes.ts";
import { PaperPatroni } from "./paper-patroni.ts";

type Input<V extends NodeVerb> = NodeCommands[V]["input"];

/** As the node document checks it. */
const stepPattern = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,255}$/;

/**
 * What the node programs of one cluster promise each other, over the machines and volumes that EC2 has: etcd with its
 * learners and voters, Patroni's members with their data, file systems, configurations, restarts that wait.
 */
export class PaperCluster implements NodeCommandPort {
  readonly etcd = new PaperEtcd((member) => this.#runsEtcd(member));
  readonly patroni = new PaperPatroni(
    () => this.#nodes.postgresPlaces(),
    () => this.etcd.hasQuorum,
  );
  readonly extensions = new Set<string>();
  readonly usedExtensions = new Set<string>();
  /** `<verb> <node>` for everything that was really done, not only answered again. */
  readonly done: string[] = [];
  /** Called with each `<verb> <node>` before it is done; throws to have it fail. */
  onVerb: (verb: NodeVerb, nodeId: string) => void = () => undefined;
  readonly #nodes: PaperNodes;
  /** Volume → etcd's member whose data it holds. */
  readonly #dcsData = new Map<string, string>();
  readonly #fileSystemsGiB = new Map<string, number>();
  readonly #finished = new Map<string, unknown>();
  readonly #cloud: Cloud;
  #streamedBefore = 0;

  constructor(cloud: Cloud, cluster: Cluster, leader: string) {
    this.#cloud = cloud;
    this.#nodes = new PaperNodes(cloud);
    for (const node of cluster.nodes) {
      const configuration = configurationOf(cloud, cluster, node.id, cluster.spec.instanceType);
      const certificates = {
        authorityCertificate: "",
        nodeCertificate: "",
        dcsState: "new",
        restore: null,
      } as const;
      const intent = { ...configuration, ...certificates, revision: revisionOf(configuration) };
      const { address, instanceId, volumeId } = node;
      if (address === null || instanceId === null || volumeId === null) throw new Error("there is no place");
      this.#nodes.put(instanceId, { volumeId, intent, stopped: new Set() });
      this.#fileSystemsGiB.set(volumeId, this.#nodes.sizeGiB(volumeId));
      if (!node.services.includes("etcd")) continue;
      this.#dcsData.set(volumeId, this.etcd.found(address, node.id).memberId);
    }
    this.patroni.found(leader, cluster.spec);
  }

  /** Everything that must not have happened on the way. */
  get faults(): readonly string[] {
    return this.patroni.faults;
  }

  async awaitOnline(instanceId: string): Promise<void> {
    if (!(await this.#cloud.machines.isRunning(instanceId))) throw offline(instanceId);
  }

  run: NodeCommandPort["run"] = async (target, verb, input) => {
    this.#look();
    if (!stepPattern.test(target.step)) throw new Error(`"${target.step}" is no word`);
    if (!(await this.#cloud.machines.isRunning(target.instanceId))) throw offline(target.instanceId);
    const checked = nodeVerbs[verb].input.parse(input) as { nodeId: string };
    const { operationId, step, instanceId } = target;
    const key = JSON.stringify([instanceId, operationId, step, verb, checked]);
    if (this.#finished.has(key)) return this.#finished.get(key) as never;
    this.onVerb(verb, checked.nodeId);
    const output: unknown = await this.#answer(target, verb, checked);
    if (!momentaryVerbs.includes(verb)) {
      this.#finished.set(key, output);
      this.done.push(`${verb} ${checked.nodeId}`);
    }
    this.#look();
    // The output of this verb, which its schema has checked.
    return nodeVerbs[verb].output.parse(output) as never;
  };

  /** What the model does not allow is what the real one refuses. */
  async #answer(target: CommandTarget, verb: NodeVerb, input: unknown): Promise<unknown> {
    try {
      return await this.#do(target, verb, input);
    } catch (error) {
      if (error instanceof CommandError || !(error instanceof Error)) throw error;
      throw refusal(target.instanceId, verb, error);
    }
  }

  #do({ instanceId }: CommandTarget, verb: NodeVerb, input: unknown): unknown {
    switch (verb) {
      case "prepare":
        return this.#prepare(instanceId, nodeVerbs[verb].input.parse(input));
      case "configure":
        return this.#configure(instanceId, input as NodeIntent);
      case "observe-place":
        return this.#observePlace(instanceId, nodeVerbs[verb].input.parse(input));
      case "observe":
        return { members: this.patroni.observe(), dcs: { quorum: this.etcd.hasQuorum, members: [] } };
      case "assess-role-change":
        return assess(this, nodeVerbs[verb].input.parse(input).candidate);
      case "change-role":
        return this.#changeRole(nodeVerbs[verb].input.parse(input));
      case "restart-member":
        return this.#restart(instanceId, nodeVerbs[verb].input.parse(input));
      case "await-member":
        return this.patroni.awaitMember(nodeVerbs[verb].input.parse(input).member);
      case "apply-dynamic-configuration":
        return this.#applyDynamic(instanceId, nodeVerbs[verb].input.parse(input));
      case "change-extensions":
        return this.#changeExtensions(instanceId, nodeVerbs[verb].input.parse(input));
      case "grow-filesystem":
        return this.#grow(instanceId, nodeVerbs[verb].input.parse(input));
      case "drain-pooler":
        return { closed: 0, cut: 0 };
      case "shut-down":
        return this.#shutDown(instanceId, nodeVerbs[verb].input.parse(input));
      default:
        return this.#doDcs(instanceId, verb, input);
    }
  }

  #doDcs(instanceId: string, verb: NodeVerb, input: unknown): unknown {
    switch (verb) {
      case "add-dcs-learner":
        return { memberId: this.etcd.addLearner(nodeVerbs[verb].input.parse(input).address) };
      case "promote-dcs-learner":
        this.etcd.promote(nodeVerbs[verb].input.parse(input).memberId);
        return {};
      case "remove-dcs-member":
        this.etcd.remove(nodeVerbs[verb].input.parse(input).memberId);
        return {};
      case "forget-dcs":
        this.#dcsData.delete(this.#nodes.at(instanceId).volumeId ?? "");
        return {};
      case "await-dcs":
        return this.#awaitDcs(nodeVerbs[verb].input.parse(input).member);
      case "move-dcs-leader": {
        const { nodeId, to } = nodeVerbs[verb].input.parse(input);
        const address = to === null ? undefined : this.#nodes.addressOf(nodeId);
        if (address !== undefined) this.etcd.lead(address);
        return { leader: to, moved: to !== null };
      }
      default:
        throw new Error(`paper clusters do not know ${verb} yet`);
    }
  }

  #look(): void {
    this.patroni.settle();
    const { hasQuorum, voters } = this.etcd;
    if (voters.length > 1 && !hasQuorum) this.patroni.faults.push("etcd lost its majority");
    const streaming = this.patroni.streaming.length;
    if (this.#streamedBefore > 1 && streaming === 0) this.patroni.faults.push("no standby was left");
    this.#streamedBefore = streaming;
  }

  #runsEtcd(member: EtcdMember): boolean {
    for (const { machine, intent, volumeId, address } of this.#nodes.living()) {
      if (address !== member.address || machine.stopped.has("etcd")) continue;
      if (servicesOf(intent).includes("etcd") && this.#dcsData.get(volumeId) === member.memberId) return true;
    }
    return false;
  }

  async #prepare(instanceId: string, { volumeId, address }: Input<"prepare">) {
    const real = this.#cloud.machines.machines.get(instanceId);
    must(real?.volumes.has(volumeId) === true, `volume ${volumeId} is not attached`);
    must(real?.spec.interface.address === address, `the address is not ${address}`);
    this.#nodes.at(instanceId).volumeId = volumeId;
    if (!this.#fileSystemsGiB.has(volumeId))
      this.#fileSystemsGiB.set(volumeId, this.#nodes.sizeGiB(volumeId));
    return { certificateRequest: await certificateRequest() };
  }

  #configure(instanceId: string, intent: NodeIntent) {
    const machine = this.#nodes.at(instanceId);
    const volumeId = machine.volumeId ?? "";
    const isFirst = machine.intent === null;
    const services = servicesOf(intent);
    machine.intent = intent;
    machine.stopped.clear();
    if (services.includes("etcd")) this.#startEtcd(intent, volumeId);
    this.patroni.settle();
    if (isFirst) this.patroni.started(intent.nodeId);
    this.patroni.reload();
    return { changed: ["patroni.yml"] };
  }

  /** One whose volume holds a member goes on as that; an empty one has to be expected by the others. */
  #startEtcd(intent: NodeIntent, volumeId: string): void {
    if (this.#dcsData.has(volumeId)) return;
    const address = intent.peers.find((peer) => peer.nodeId === intent.nodeId)?.address;
    must(intent.dcsState === "existing", "another etcd is founded beside the one that there is");
    const expected = this.etcd.members.find((member) => member.address === address && member.name === "");
    if (expected === undefined) throw new Error(`${intent.nodeId} is not expected by etcd`);
    expected.name = intent.nodeId;
    this.#dcsData.set(volumeId, expected.memberId);
  }

  #awaitDcs(nodeId: string | null): Record<string, never> {
    must(this.etcd.hasQuorum, "there is no majority");
    if (nodeId === null) return {};
    const member = this.etcd.members.find((one) => one.address === this.#nodes.addressOf(nodeId));
    must(member !== undefined && this.etcd.isHealthy(member), `${nodeId} is not healthy`);
    return {};
  }

  #observePlace(instanceId: string, { nodeId }: Input<"observe-place">): ObservedPlace {
    const { intent, stopped, volumeId } = this.#nodes.at(instanceId);
    const blank = {
      dcs: null,
      patroni: null,
      isProgramStale: false,
      pendingRestart: null,
      extensions: null,
    };
    if (intent === null) return { ...blank, inspection: null, isFilled: true };
    const size = this.#nodes.sizeGiB(volumeId ?? "");
    return {
      ...blank,
      inspection: {
        ...inspection,
        revision: intent.revision ?? null,
        ...stateOf(intent, stopped, this.patroni),
      },
      isFilled: (this.#fileSystemsGiB.get(volumeId ?? "") ?? 0) >= size,
      dcs: {
        hasQuorum: this.etcd.hasQuorum,
        members: this.etcd.members.map((member) => ({
          ...member,
          isHealthy: this.etcd.isHealthy(member),
          isLeader: member.memberId === this.etcd.leader,
        })),
      },
      patroni: { members: this.patroni.observe() },
      pendingRestart: this.patroni.waiting(nodeId),
      extensions:
        nodeId === this.patroni.leader
          ? [...this.extensions].map((name) => ({ name, version: "1", available: "1" }))
          : null,
    };
  }

  #changeRole({ from, to }: Input<"change-role">) {
    const pauseMs = this.patroni.leader === to ? null : 250;
    this.patroni.changeRole(from, to);
    return { from, to, pauseMs, timeline: 2, unpaused: [] };
  }

  #restart(instanceId: string, { nodeId, onLeader }: Input<"restart-member">) {
    const leads = this.patroni.leader === nodeId;
    if (leads && !onLeader) throw new CommandError("member-leads", instanceId, "it leads");
    const words = this.patroni.restart(nodeId);
    if (words !== null) {
      const message = `PostgreSQL did not start again: ${words}`;
      throw new CommandError("postgres-not-started", instanceId, message);
    }
    return { pauseMs: leads ? 900 : null };
  }

  #applyDynamic(instanceId: string, { synchronousNodes }: Input<"apply-dynamic-configuration">) {
    const { intent } = this.#nodes.at(instanceId);
    if (intent === null) throw new Error("not configured");
    return { changed: this.patroni.applyDynamic(intent.spec, synchronousNodes ?? null) };
  }

  #changeExtensions(instanceId: string, { nodeId, create, drop }: Input<"change-extensions">) {
    must(nodeId === this.patroni.leader, `${nodeId} does not lead`);
    const used = drop.filter((name) => this.usedExtensions.has(name));
    if (used.length > 0) {
      throw new CommandError("extension-in-use", instanceId, `other objects depend on extension ${used[0]}`);
    }
    for (const name of create) this.extensions.add(name);
    for (const name of drop) this.extensions.delete(name);
    return {};
  }

  #grow(instanceId: string, { volumeId, sizeGiB }: Input<"grow-filesystem">) {
    must(this.#nodes.at(instanceId).volumeId === volumeId, `${volumeId} is another machine's`);
    must(this.#nodes.sizeGiB(volumeId) >= sizeGiB, "the volume has not grown yet");
    this.#fileSystemsGiB.set(volumeId, this.#nodes.sizeGiB(volumeId));
    return { sizeBytes: sizeGiB * 1024 ** 3 };
  }

  fileSystemGiB(volumeId: string): number {
    return this.#fileSystemsGiB.get(volumeId) ?? 0;
  }

  #shutDown(instanceId: string, { services }: Input<"shut-down">) {
    for (const service of services) this.#nodes.at(instanceId).stopped.add(service);
    return { stopped: services.map((service) => `${service}.service`), checkpoint: null };
  }
}

const offline = (instanceId: string): CommandError =>
  new CommandError("node-not-online", instanceId, `${instanceId} is not online`);

const refusal = (instanceId: string, verb: string, cause: Error): CommandError =>
  new CommandError("refused", instanceId, `${verb}: ${cause.message}`, { cause });

function must(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
