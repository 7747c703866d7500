import type { Cluster } from "../../layers/domain/index.ts";
import {
  type Assessment,
  type NodeCommands,
  type NodeVerb,
  nodeVerbs,
  type Observation,
} from "../../layers/domain/node/index.ts";
import { CommandError, type CommandTarget, type NodeCommandPort } from "../../layers/ports/index.ts";

type Member = { state: string; restarts: number; waits: boolean };

/** As the node document checks it. */
const stepPattern = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,255}$/;
/** Looks at a clone until it streams. */
const cloneLooks = 2;

/** A shard on paper: who leads, who streams, and what the verbs of role changes and restarts promise of it. */
export class PaperShard implements NodeCommandPort {
  readonly members = new Map<string, Member>();
  leader: string | null;
  /** `<verb> <node>` for everything that changed something. */
  readonly done: string[] = [];
  /** Verb → the error that it ends with, for so many times (always, where it is not said). */
  readonly failures = new Map<NodeVerb, { code: string; message: string; times?: number }>();
  readonly #finished = new Map<string, unknown>();
  readonly #rest: NodeCommandPort;
  readonly #nodeOf: ReadonlyMap<string, string>;
  #cloneLooks = 0;

  constructor(cluster: Cluster, rest: NodeCommandPort) {
    this.#rest = rest;
    this.#nodeOf = new Map(cluster.nodes.map((node) => [node.instanceId ?? "", node.id]));
    for (const { id } of cluster.nodes)
      this.members.set(id, { state: "streaming", restarts: 0, waits: false });
    this.leader = cluster.nodes[0]?.id ?? null;
    this.#settle();
  }

  awaitOnline(instanceId: string, deadlineSeconds: number): Promise<void> {
    return this.#rest.awaitOnline(instanceId, deadlineSeconds);
  }

  run: NodeCommandPort["run"] = async (target, verb, input) => {
    if (!stepPattern.test(target.step)) throw new Error(`"${target.step}" is no word`);
    const failure = this.failures.get(verb);
    if (failure !== undefined) {
      const { code, message, times = Number.POSITIVE_INFINITY } = failure;
      if (times <= 1) this.failures.delete(verb);
      else this.failures.set(verb, { code, message, times: times - 1 });
      throw new CommandError(code, target.instanceId, message);
    }
    const checked = nodeVerbs[verb].input.parse(input);
    const key = JSON.stringify([target.instanceId, target.operationId, target.step]);
    const isForgotten = verb === "observe" || verb === "inspect";
    if (!isForgotten && this.#finished.has(key)) return this.#finished.get(key) as never;
    const output = this.#do(target, verb, checked);
    if (output === undefined) return this.#rest.run(target, verb, input);
    this.#finished.set(key, output);
    // The output of this verb, which its schema has checked.
    return nodeVerbs[verb].output.parse(output) as never;
  };

  #do(target: CommandTarget, verb: NodeVerb, input: unknown): unknown {
    const nodeId = this.#nodeOf.get(target.instanceId) ?? "";
    switch (verb) {
      case "observe":
        return this.#observe();
      case "inspect":
        return inspection;
      case "assess-role-change":
        return this.#assess(nodeVerbs[verb].input.parse(input));
      case "change-role":
        return this.#changeRole(target, nodeVerbs[verb].input.parse(input));
      case "move-dcs-leader":
        return { leader: nodeId, moved: false };
      case "restart-member":
        return this.#restart(target, nodeVerbs[verb].input.parse(input));
      case "reinitialize-member":
        return this.#reinitialize(target, nodeId);
      default:
        return undefined;
    }
  }

  get #standby(): string | undefined {
    return [...this.members.keys()].find(
      (id) => id !== this.leader && this.#member(id).state === "streaming",
    );
  }

  #member(nodeId: string): Member {
    const member = this.members.get(nodeId);
    if (member === undefined) throw new Error(`${nodeId} is not of the shard`);
    return member;
  }

  #settle(): void {
    for (const [id, member] of this.members) {
      if (member.state === "running" || member.state === "streaming") {
        member.state = id === this.leader ? "running" : "streaming";
      }
    }
  }

  #observe(): Observation {
    const cloning = [...this.members.values()].find(({ state }) => state === "creating replica");
    if (cloning !== undefined) {
      this.#cloneLooks += 1;
      if (this.#cloneLooks > cloneLooks) cloning.state = "streaming";
    }
    const members = [...this.members].map(([nodeId, { state, waits }]) => ({
      nodeId,
      role:
        nodeId === this.leader
          ? ("leader" as const)
          : nodeId === this.#standby
            ? ("sync-standby" as const)
            : ("replica" as const),
      state,
      timeline: 1,
      lagBytes: 0,
      pendingRestart: waits,
    }));
    return { members, dcs: { quorum: true, members: [] } };
  }

  #assess({ candidate }: NodeCommands["assess-role-change"]["input"]): Assessment {
    const members = this.#observe().members.map(({ lagBytes, pendingRestart, ...member }) => ({
      ...member,
      nodeId: member.nodeId as Assessment["members"][number]["nodeId"],
      replayLagBytes: lagBytes,
      isSynchronous: member.role === "sync-standby",
      noFailover: pendingRestart && false,
    }));
    return {
      leader: this.leader as Assessment["leader"],
      candidate: candidate ?? ((this.#standby ?? null) as Assessment["candidate"]),
      timeline: 1,
      members,
      synchronousMode: "on",
      paused: false,
      scheduled: false,
      oldestTransactionSeconds: 0,
      archiveQueueLength: 0,
      dcs: { quorum: true, leader: null },
    };
  }

  #changeRole(
    { instanceId }: CommandTarget,
    { from, to }: NodeCommands["change-role"]["input"],
  ): NodeCommands["change-role"]["output"] {
    if (this.leader === to) return { from, to, pauseMs: null, timeline: 1, unpaused: [] };
    if (this.leader !== from) throw new CommandError("other-leader", instanceId, `${this.leader} leads`);
    this.leader = to;
    this.#member(to).state = "running";
    this.#settle();
    this.done.push(`change-role ${from} ${to}`);
    return { from, to, pauseMs: 250, timeline: 2, unpaused: [] };
  }

  #restart(
    { instanceId }: CommandTarget,
    { nodeId, onLeader }: NodeCommands["restart-member"]["input"],
  ): NodeCommands["restart-member"]["output"] {
    if (this.leader === nodeId && !onLeader) throw new CommandError("member-leads", instanceId, "it leads");
    const away = [...this.members].filter(([id, { state }]) => id !== nodeId && state !== this.#wellAs(id));
    if (away.length > 0) throw new Error(`${away[0]?.[0]} is away while ${nodeId} is restarted`);
    const member = this.#member(nodeId);
    member.restarts += 1;
    member.waits = false;
    this.done.push(`restart-member ${nodeId}`);
    return { pauseMs: this.leader === nodeId ? 900 : null };
  }

  #wellAs = (nodeId: string): string => (nodeId === this.leader ? "running" : "streaming");

  #reinitialize({ instanceId }: CommandTarget, nodeId: string): Record<string, never> {
    if (this.leader === nodeId) throw new CommandError("patroni-refused", instanceId, "I am the leader");
    this.#member(nodeId).state = "creating replica";
    this.#cloneLooks = 0;
    this.done.push(`reinitialize-member ${nodeId}`);
    return {};
  }
}

const inspection: NodeCommands["inspect"]["output"] = {
  revision: null,
  services: {},
  disk: { totalBytes: 1024 ** 3, usedBytes: 64 * 1024 ** 2 },
  wal: { bytes: 0, readyCount: 0, oldestReadySeconds: null, archivedUntil: null },
  connections: { used: 5, max: 94 },
  certificateNotAfter: "2030-01-01T00:00:00Z",
  nowMs: 0,
  drift: [],
  patroniVersion: null,
  wrapper: false,
};
