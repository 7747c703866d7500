import { dynamicConfiguration, dynamicConfigurationPatch } from "../../layers/domain/config/index.ts";
import type { ClusterSpec } from "../../layers/domain/index.ts";
import type { NodeIntent, Observation } from "../../layers/domain/node/index.ts";
import { findParameter } from "../../layers/domain/postgres/parameters.ts";
import { settleParameters } from "../../layers/domain/postgres/spec-parameters.ts";

type Parameters = Readonly<Record<string, string>>;

/** What a node's machine says of its PostgreSQL. */
export interface PostgresPlace {
  readonly intent: NodeIntent;
  /** The volume's id: a member that lost its volume has lost its data. */
  readonly volumeId: string;
}

interface Data {
  /** What PostgreSQL was started with. */
  running: Parameters;
  isCloned: boolean;
}

/** Looks at a clone that still copies. */
const cloneLooks = 1;

/** Patroni's members of one shard and what it keeps in the DCS. Data is on volumes; who runs follows from machines. */
export class PaperPatroni {
  leader: string | null = null;
  synchronous: readonly string[] = [];
  configuration: Record<string, unknown> = {};
  /** PostgreSQL's words about parameters that it does not start with; null where it does. */
  objection: (parameters: Parameters) => string | null = () => null;
  /** Everything that must not have happened on the way. */
  readonly faults: string[] = [];
  /** `<verb> <node>` and role changes, in their order. */
  readonly moves: string[] = [];
  readonly #data = new Map<string, Data>();
  readonly #looks = new Map<string, number>();
  readonly #places: () => ReadonlyMap<string, PostgresPlace>;
  readonly #hasQuorum: () => boolean;

  constructor(places: () => ReadonlyMap<string, PostgresPlace>, hasQuorum: () => boolean) {
    this.#places = places;
    this.#hasQuorum = hasQuorum;
  }

  /** The cluster as a create leaves it. */
  found(leader: string, spec: ClusterSpec): void {
    this.leader = leader;
    this.configuration = asJson(dynamicConfiguration(spec));
    for (const { volumeId, intent } of this.#places().values()) {
      this.#data.set(volumeId, { running: this.wanted(intent), isCloned: true });
    }
    this.settle();
  }

  /** What follows by itself: clones begin, a dead leader is succeeded, a standby is made synchronous. */
  settle(): void {
    const places = this.#places();
    for (const [nodeId, { volumeId, intent }] of places) {
      if (this.#data.has(volumeId)) continue;
      if (this.leader === null) continue;
      this.#data.set(volumeId, { running: this.wanted(intent), isCloned: false });
      this.#looks.set(nodeId, 0);
    }
    if (!this.#hasQuorum()) return;
    if (this.leader !== null && !this.#isUp(this.leader)) {
      const streaming = [...places.keys()].filter((id) => id !== this.leader && this.#isUp(id));
      if (streaming.length > 0) this.faults.push(`the leader ${this.leader} was taken away while it led`);
      this.leader = this.synchronous.find((id) => streaming.includes(id)) ?? streaming[0] ?? null;
    }
    this.leader ??= [...places.keys()].find((id) => this.#isUp(id)) ?? null;
    this.#settleSynchronous();
  }

  #settleSynchronous(): void {
    const mode = this.configuration["synchronous_mode"];
    const count = mode === false ? 0 : Number(this.configuration["synchronous_node_count"]);
    const able = this.streaming;
    const kept = this.synchronous.filter((id) => able.includes(id));
    // The youngest first: those are the ones that a scale-in takes away.
    const others = able.filter((id) => !kept.includes(id)).toReversed();
    this.synchronous = [...kept, ...others].slice(0, count);
  }

  /** Replicas that stream from the leader, oldest first. */
  get streaming(): string[] {
    if (this.leader === null) return [];
    return [...this.#places().keys()].toSorted().filter((id) => id !== this.leader && this.#isUp(id));
  }

  #dataOf(nodeId: string): Data | undefined {
    const place = this.#places().get(nodeId);
    return place === undefined ? undefined : this.#data.get(place.volumeId);
  }

  #isUp(nodeId: string): boolean {
    const data = this.#dataOf(nodeId);
    return data?.isCloned === true && this.objection(data.running) === null;
  }

  /** Every parameter as the node's files and the DCS say it now. */
  wanted(intent: NodeIntent): Parameters {
    const postgresql = this.configuration["postgresql"] as { parameters?: Parameters } | undefined;
    return { ...settleParameters(intent.spec).member, ...postgresql?.parameters };
  }

  observe(): Observation["members"] {
    this.settle();
    return [...this.#places()].map(([nodeId, { intent }]) => {
      const waiting = this.#waiting(nodeId, intent);
      return {
        nodeId,
        role:
          nodeId === this.leader ? "leader" : this.synchronous.includes(nodeId) ? "sync-standby" : "replica",
        state: this.#stateOf(nodeId),
        timeline: 1,
        lagBytes: nodeId === this.leader ? null : 0,
        pendingRestart: waiting.length > 0,
        ...(waiting.length > 0 ? { waiting } : {}),
      };
    });
  }

  #stateOf(nodeId: string): string {
    const data = this.#dataOf(nodeId);
    if (data?.isCloned !== true) return "creating replica";
    if (this.objection(data.running) !== null) return "start failed";
    return nodeId === this.leader ? "running" : "streaming";
  }

  waiting(nodeId: string): { name: string; from: string; to: string }[] | null {
    const place = this.#places().get(nodeId);
    return place === undefined ? null : this.#waiting(nodeId, place.intent);
  }

  #waiting(nodeId: string, intent: NodeIntent): { name: string; from: string; to: string }[] {
    const wanted = this.wanted(intent);
    const running = this.#dataOf(nodeId)?.running ?? wanted;
    return Object.keys({ ...running, ...wanted }).flatMap((name) => {
      const [from = "", to = ""] = [running[name], wanted[name]];
      return from !== to && findParameter(name)?.context === "postmaster" ? [{ name, from, to }] : [];
    });
  }

  /** Whether it is there; a clone is looked at for a while. */
  awaitMember(nodeId: string | null): { isThere: boolean; state: string } {
    this.settle();
    if (nodeId === null) {
      if (this.leader === null) throw new Error("there is no leader");
      return { isThere: true, state: "running" };
    }
    const data = this.#dataOf(nodeId);
    if (data === undefined || this.leader === null) throw new Error(`${nodeId} is unknown to Patroni`);
    const looks = this.#looks.get(nodeId) ?? 0;
    this.#looks.set(nodeId, looks + 1);
    if (looks >= cloneLooks) data.isCloned = true;
    this.settle();
    const state = this.#stateOf(nodeId);
    if (data.isCloned && !this.#isUp(nodeId)) throw new Error(`${nodeId} is ${state}`);
    return { isThere: data.isCloned, state };
  }

  changeRole(from: string | null, to: string): void {
    if (this.leader === to) return;
    if (this.leader !== from) throw new Error(`${this.leader} leads, and not ${from}`);
    if (!this.streaming.includes(to)) throw new Error(`${to} does not stream`);
    const mode = this.configuration["synchronous_mode"];
    if (mode !== false && !this.synchronous.includes(to)) throw new Error(`${to} is not synchronous`);
    this.leader = to;
    this.moves.push(`${from} ${to}`);
    this.synchronous = this.synchronous.filter((id) => id !== to);
    this.settle();
  }

  /** @returns PostgreSQL's words where it does not come up again */
  restart(nodeId: string): string | null {
    const place = this.#places().get(nodeId);
    const data = this.#dataOf(nodeId);
    if (place === undefined || data === undefined) throw new Error(`${nodeId} is no member`);
    data.running = this.#startable(place.intent);
    const words = this.objection(data.running);
    this.settle();
    return words;
  }

  /** A standby runs with no less of the shared parameters than its leader has. */
  #startable(intent: NodeIntent): Parameters {
    const wanted = this.wanted(intent);
    const leading = this.leader === null ? undefined : this.#dataOf(this.leader)?.running;
    if (leading === undefined || intent.nodeId === this.leader) return wanted;
    const shared = Object.keys(settleParameters(intent.spec).shared);
    const raised = shared.filter((name) => Number(leading[name]) > Number(wanted[name]));
    return { ...wanted, ...Object.fromEntries(raised.map((name) => [name, leading[name] ?? ""])) };
  }

  /** A member that did not start tries again with what its files say by then; others reload what can be. */
  reload(): void {
    for (const [nodeId, { intent }] of this.#places()) {
      const data = this.#dataOf(nodeId);
      if (data === undefined) continue;
      if (this.objection(data.running) !== null) data.running = this.#startable(intent);
      const wanted = this.wanted(intent);
      const isReloaded = (name: string): boolean => findParameter(name)?.context !== "postmaster";
      const reloaded = Object.entries(wanted).filter(([name]) => isReloaded(name));
      const held = Object.entries(data.running).filter(([name]) => !isReloaded(name));
      data.running = Object.fromEntries([...held, ...reloaded]);
    }
    this.settle();
  }

  /** A machine that boots starts PostgreSQL with what its files say. */
  started(nodeId: string): void {
    const place = this.#places().get(nodeId);
    const data = this.#dataOf(nodeId);
    if (place !== undefined && data !== undefined) data.running = this.#startable(place.intent);
  }

  runningOf(nodeId: string, name: string): string | undefined {
    return this.#dataOf(nodeId)?.running[name];
  }

  applyDynamic(spec: ClusterSpec, synchronousNodes: number | null): string[] {
    const patch = dynamicConfigurationPatch(this.configuration, spec, synchronousNodes);
    if (patch === null) return [];
    this.configuration = merged(this.configuration, patch) as Record<string, unknown>;
    this.reload();
    return Object.keys(patch);
  }
}

const asJson = (value: unknown): Record<string, unknown> => JSON.parse(JSON.stringify(value));

/** RFC 7396, as Patroni applies it. */
function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const base = typeof target === "object" && target !== null && !Array.isArray(target) ? target : {};
  const result: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merged(result[key], value);
  }
  return result;
}
