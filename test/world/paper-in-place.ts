import {
  type Inspection,
  type NodeCommands,
  type NodeVerb,
  nodeVerbs,
  type RestoredData,
} from "../../layers/domain/node/index.ts";
import type { PaperDatabase } from "./paper-maintenance.ts";
import type { PaperPlace } from "./paper-place.ts";

/** A copy of the cluster's data, by what is in it. */
interface Data {
  readonly content: string;
  readonly timeline: number;
  /** Clients can log in. */
  readonly isOpen: boolean;
}

interface Note {
  looks: number;
  reached: RestoredData["reached"];
  tookFrom: string | null;
  archivedTimeline: number | null;
}

interface Member {
  data: Data | null;
  readonly aside: Map<string, Data>;
  readonly notes: Map<string, Note>;
}

interface World {
  readonly members: Map<string, Member>;
  /** Poolers whose clients wait. */
  readonly held: Set<string>;
  /** Timeline → the content of which WAL is in the archive. */
  readonly archived: Map<number, string>;
  leader: string | null;
}

interface Place extends Pick<PaperPlace, "nodeIds"> {
  readonly database: (clusterId: string) => Promise<PaperDatabase>;
}

type Input<V extends NodeVerb> = NodeCommands[V]["input"];

const gib = 1024 ** 3;
export const contentAtFirst = "live";

/** What the verbs of a restore in place promise of the data on the nodes' volumes. */
export class PaperInPlace {
  /** Everything that must not have happened on the way. */
  readonly faults: string[] = [];
  /** Looks at a restore until it is done. */
  looksNeeded = 2;
  /** PostgreSQL's or pgBackRest's words about a restore that will not get there. */
  failure: string | null = null;
  /** Free bytes on a node's volume. */
  freeBytes = 100 * gib;
  readonly #worlds = new Map<string, World>();

  /** Undefined: not a verb of this family. */
  do(verb: NodeVerb, raw: unknown, place: Place): unknown {
    switch (verb) {
      case "inspect":
        return inspectionWith(this.freeBytes);
      case "hold-clients":
        return this.#hold(nodeVerbs[verb].input.parse(raw), place);
      case "let-clients-in": {
        const input = nodeVerbs[verb].input.parse(raw);
        this.#world(input.clusterId, place).held.delete(input.nodeId);
        return {};
      }
      case "admit-clients":
        return this.#admit(nodeVerbs[verb].input.parse(raw), place);
      case "preserve-state":
        return this.#preserve(nodeVerbs[verb].input.parse(raw), place);
      case "set-aside-data":
        return this.#setAside(nodeVerbs[verb].input.parse(raw), place);
      case "take-kept-data":
        return this.#takeKept(nodeVerbs[verb].input.parse(raw), place);
      case "restore-data":
        return this.#restore(nodeVerbs[verb].input.parse(raw), place);
      case "start-member":
        return this.#start(nodeVerbs[verb].input.parse(raw), place);
      case "put-data-back":
        return this.#putBack(nodeVerbs[verb].input.parse(raw), place);
      case "kept-data": {
        const { clusterId, nodeId, operationId } = nodeVerbs[verb].input.parse(raw);
        const member = this.#member(clusterId, nodeId, place);
        const { archivedTimeline } = noteOf(member, operationId);
        return { isKept: member.aside.has(operationId), archivedTimeline };
      }
      case "drop-aside-data": {
        const { clusterId, keep, nodeId } = nodeVerbs[verb].input.parse(raw);
        const member = this.#member(clusterId, nodeId, place);
        for (const id of [...member.aside.keys()]) if (id !== keep) member.aside.delete(id);
        for (const id of [...member.notes.keys()]) if (id !== keep) member.notes.delete(id);
        return {};
      }
      default:
        return undefined;
    }
  }

  /** Nodes in the order that the other models know: who leads comes last. */
  ordered(clusterId: string, nodeIds: readonly string[]): readonly string[] {
    const leader = this.#worlds.get(clusterId)?.leader ?? null;
    if (leader === null || !nodeIds.includes(leader)) return nodeIds;
    return [...nodeIds.filter((id) => id !== leader), leader];
  }

  /** What there is of a cluster, as its operator would find it. */
  seen(clusterId: string): {
    contents: (string | null)[];
    timelines: (number | null)[];
    kept: number[];
    held: number;
    closed: number;
  } {
    const world = this.#worlds.get(clusterId);
    const members = [...(world?.members.values() ?? [])];
    return {
      contents: members.map(({ data }) => data?.content ?? null),
      timelines: members.map(({ data }) => data?.timeline ?? null),
      kept: members.map(({ aside }) => aside.size),
      held: world?.held.size ?? 0,
      closed: members.filter(({ data }) => data?.isOpen === false).length,
    };
  }

  /** Clients write: whatever is in the data now, there is more of it. */
  write(clusterId: string, what: string): void {
    const world = this.#worlds.get(clusterId);
    for (const member of world?.members.values() ?? []) {
      if (member.data !== null) member.data = { ...member.data, content: `${member.data.content}, ${what}` };
    }
    for (const [timeline, content] of world?.archived ?? []) {
      if (timeline === newest(world)) world?.archived.set(timeline, `${content}, ${what}`);
    }
  }

  #world(clusterId: string, { nodeIds }: Place): World {
    const known = this.#worlds.get(clusterId);
    const world = known ?? {
      members: new Map<string, Member>(),
      held: new Set<string>(),
      archived: new Map([[1, contentAtFirst]]),
      leader: null,
    };
    this.#worlds.set(clusterId, world);
    for (const nodeId of nodeIds) {
      if (world.members.has(nodeId)) continue;
      const data = { content: contentAtFirst, timeline: 1, isOpen: true };
      world.members.set(nodeId, { data, aside: new Map(), notes: new Map() });
    }
    return world;
  }

  #member(clusterId: string, nodeId: string, place: Place): Member {
    const member = this.#world(clusterId, place).members.get(nodeId);
    if (member === undefined) throw new Error(`there is no member ${nodeId}`);
    return member;
  }

  #must(holds: boolean, otherwise: string): void {
    if (holds) return;
    this.faults.push(otherwise);
    throw new Error(otherwise);
  }

  async #mustBeStopped(clusterId: string, nodeId: string, { database }: Place): Promise<void> {
    this.#must((await database(clusterId)).stopped.has(nodeId), `PostgreSQL of ${nodeId} runs on its data`);
  }

  #hold({ clusterId, nodeId }: Input<"hold-clients">, place: Place) {
    this.#world(clusterId, place).held.add(nodeId);
    return { isHeld: true };
  }

  /** Whoever follows the leader has what it has. */
  async #admit({ clusterId, nodeId }: Input<"admit-clients">, place: Place) {
    const { stopped } = await place.database(clusterId);
    const { leader, members } = this.#world(clusterId, place);
    this.#must(
      (leader ?? place.nodeIds.at(-1)) === nodeId && !stopped.has(nodeId),
      `${nodeId} does not lead`,
    );
    const timeline = members.get(nodeId)?.data?.timeline;
    for (const member of members.values()) {
      const { data } = member;
      if (data !== null && data.timeline === timeline) member.data = { ...data, isOpen: true };
    }
    return {};
  }

  async #preserve({ clusterId, nodeId, restorePoint }: Input<"preserve-state">, place: Place) {
    const { stopped } = await place.database(clusterId);
    this.#must(nodeId === place.nodeIds.at(-1) && !stopped.has(nodeId), `${nodeId} does not lead`);
    const { data } = this.#member(clusterId, nodeId, place);
    const at = new Date().toISOString();
    return { timeline: data?.timeline ?? 0, lsn: "0/9000000", nextXid: "900", restorePoint, at };
  }

  async #setAside({ clusterId, nodeId, operationId }: Input<"set-aside-data">, place: Place) {
    const member = this.#member(clusterId, nodeId, place);
    if (member.aside.has(operationId)) return {};
    await this.#mustBeStopped(clusterId, nodeId, place);
    if (member.data !== null) member.aside.set(operationId, member.data);
    member.data = null;
    return {};
  }

  async #takeKept(input: Input<"take-kept-data">, place: Place) {
    const { clusterId, keptOperationId, nodeId, operationId } = input;
    const member = this.#member(clusterId, nodeId, place);
    const note = noteOf(member, operationId);
    const kept = member.aside.get(keptOperationId);
    if (kept === undefined) return { hasData: note.tookFrom === keptOperationId };
    await this.#mustBeStopped(clusterId, nodeId, place);
    this.#must(member.data === null, `${nodeId} has other data`);
    note.tookFrom = keptOperationId;
    member.aside.delete(keptOperationId);
    member.data = kept;
    return { hasData: true };
  }

  async #restore(input: Input<"restore-data">, place: Place): Promise<RestoredData> {
    const { clusterId, from, nodeId, operationId } = input;
    const world = this.#world(clusterId, place);
    const member = this.#member(clusterId, nodeId, place);
    const note = noteOf(member, operationId);
    if (note.reached !== null) return { state: "done", message: null, reached: note.reached };
    const own = member.data?.timeline ?? 0;
    const above = from.kind === "kept" ? Math.max(from.above ?? 0, note.archivedTimeline ?? 0) : 0;
    if (from.kind === "kept" && from.left === null && above <= own) {
      return { state: "done", message: null, reached: null };
    }
    const isOwn = world.archived.get(own) === member.data?.content;
    if (from.kind === "kept" && from.left !== null && own > from.left && above >= own && !isOwn) {
      return { state: "failed", message: `timeline ${own} is another's by now`, reached: null };
    }
    await this.#mustBeStopped(clusterId, nodeId, place);
    if (from.kind === "backup") this.#must(member.aside.has(operationId), "nothing was set aside");
    else this.#must(member.data !== null, `${nodeId} has no data`);
    if (from.kind === "backup" && this.failure !== null) {
      return { state: "failed", message: this.failure, reached: null };
    }
    note.looks += 1;
    if (note.looks <= this.looksNeeded) {
      return { state: note.looks === 1 ? "copying" : "recovering", message: null, reached: null };
    }
    const timeline = from.kind === "backup" ? newest(world) + 1 : Math.max(above, own) + 1;
    const content = from.kind === "backup" ? restoredContent(from.target) : (member.data?.content ?? "");
    member.data = { content, timeline, isOpen: false };
    note.reached = { timeline, history: [{ timeline: from.kind === "backup" ? 1 : own, lsn: "0/5000000" }] };
    return { state: "done", message: null, reached: note.reached };
  }

  async #start({ clusterId, leads, nodeId }: Input<"start-member">, place: Place) {
    const world = this.#world(clusterId, place);
    const member = this.#member(clusterId, nodeId, place);
    const database = await place.database(clusterId);
    const wasStopped = database.stopped.delete(nodeId);
    if (leads) this.#lead(world, nodeId, member, wasStopped, database.paused);
    else this.#follow(world, nodeId, member, database);
    return {};
  }

  #lead(world: World, nodeId: string, { data }: Member, wasStopped: boolean, isPaused: boolean): void {
    this.#must(data !== null, `${nodeId} has no data to lead with`);
    if (data === null) return;
    this.#must(isPaused || !wasStopped, "outside of a pause nobody would be promoted on older data");
    const archived = world.archived.get(data.timeline);
    if (archived !== undefined && archived !== data.content) {
      this.faults.push(`WAL of timeline ${data.timeline} is in the archive already, of "${archived}"`);
    }
    world.archived.set(data.timeline, data.content);
    world.leader = nodeId;
  }

  /** Patroni clones whoever has no data, unless it is paused; who has other data is rewound. */
  #follow(world: World, nodeId: string, member: Member, { paused, stopped }: PaperDatabase): void {
    const leader = world.leader === null ? null : (world.members.get(world.leader) ?? null);
    if (paused || leader === null || world.leader === nodeId) return;
    if (leader.data !== null && !stopped.has(world.leader ?? "")) member.data = leader.data;
  }

  async #putBack({ clusterId, nodeId, operationId }: Input<"put-data-back">, place: Place) {
    const world = this.#world(clusterId, place);
    const member = this.#member(clusterId, nodeId, place);
    const note = noteOf(member, operationId);
    const aside = member.aside.get(operationId);
    const isTaken = note.tookFrom !== null && !member.aside.has(note.tookFrom);
    if (aside === undefined && !isTaken) return {};
    (await place.database(clusterId)).stopped.add(nodeId);
    const brought = member.data;
    if (brought !== null && world.archived.get(brought.timeline) === brought.content) {
      note.archivedTimeline = Math.max(note.archivedTimeline ?? 0, brought.timeline);
    }
    note.reached = null;
    note.looks = 0;
    if (isTaken && note.tookFrom !== null && brought !== null) member.aside.set(note.tookFrom, brought);
    member.data = null;
    if (aside !== undefined) {
      member.data = aside;
      member.aside.delete(operationId);
    }
    return {};
  }
}

export const restoredContent = (target: unknown): string => `as of ${JSON.stringify(target)}`;

const newest = (world: World | undefined): number => Math.max(...(world?.archived.keys() ?? [1]));

function noteOf(member: Member, operationId: string): Note {
  const known = member.notes.get(operationId);
  if (known !== undefined) return known;
  const note: Note = { looks: 0, reached: null, tookFrom: null, archivedTimeline: null };
  member.notes.set(operationId, note);
  return note;
}

const inspectionWith = (freeBytes: number): Inspection => ({
  revision: null,
  services: {},
  disk: { totalBytes: 100 * gib, usedBytes: Math.max(0, 100 * gib - freeBytes) },
  wal: { bytes: 0, readyCount: 0, oldestReadySeconds: null, archivedUntil: null },
  connections: { used: 5, max: 94 },
  certificateNotAfter: "2030-01-01T00:00:00Z",
  nowMs: 0,
  drift: [],
  patroniVersion: null,
  wrapper: false,
});
