import type { LogicalFacts } from "../../layers/domain/index.ts";
import {
  type LoadStanding,
  type LogicalStanding,
  type NodeCommands,
  type NodeVerb,
  nodeVerbs,
} from "../../layers/domain/node/index.ts";
import type { PaperPlace } from "./paper-place.ts";

interface PaperDatabase {
  /** The backup that it was loaded from; null: it is empty. */
  content: string | null;
  mark: string | null;
  /** By a load, for what it brings. */
  readonly isMade: boolean;
}

type Input<V extends NodeVerb> = NodeCommands[V]["input"];

const bytesTotal = 1024 ** 3;
const idle = { state: "absent", message: null, progress: null } as const;

/** What pg_dump and pg_restore promise: of backups in the bucket, which outlive machines, and of databases. */
export class PaperLogical {
  /** Backups that have a manifest. */
  readonly stored = new Map<string, LogicalFacts>();
  /** Node → the backup that it takes. */
  readonly taking = new Map<string, { readonly backupId: string; looks: number }>();
  /** Nodes that began to take a backup, and nodes that began to load one. */
  readonly begun: string[] = [];
  readonly loads: string[] = [];
  /** Where loads were told to read. */
  readonly readFrom: Input<"load-database">["repository"][] = [];
  /** `<cluster> <name>` of databases other than those that clusters begin with. */
  readonly databases = new Map<string, PaperDatabase>();
  /** Node → what it loads. */
  readonly loading = new Map<
    string,
    { readonly key: string; readonly input: Input<"load-database">; looks: number }
  >();
  /** Everything that must not have happened on the way. */
  readonly faults: string[] = [];
  /** Looks until something is done. */
  looksNeeded = 2;
  /** What ends a dump that these nodes begin; null: nothing. */
  objection: (nodeId: string) => string | null = () => null;
  /** What ends a load; null: nothing. */
  loadFailure: { readonly message: string; readonly isFinal: boolean } | null = null;
  readonly #failed = new Map<string, string>();
  readonly #failedLoads = new Map<string, { readonly message: string; readonly isFinal: boolean }>();

  /** Undefined: not a verb of this family. */
  do(verb: NodeVerb, raw: unknown, place: PaperPlace): unknown {
    for (const busy of [this.taking, this.loading]) {
      for (const nodeId of busy.keys()) if (!place.isUp(nodeId)) busy.delete(nodeId);
    }
    switch (verb) {
      case "take-logical-backup":
        return this.#take(nodeVerbs[verb].input.parse(raw));
      case "logical-backup-standing":
        return this.#look(nodeVerbs[verb].input.parse(raw));
      case "stop-logical-backup":
        this.taking.delete(nodeVerbs[verb].input.parse(raw).nodeId);
        return {};
      case "delete-logical-backup":
        this.stored.delete(nodeVerbs[verb].input.parse(raw).backupId);
        return {};
      default:
        return this.#load(verb, raw, place);
    }
  }

  database(clusterId: string, name: string): PaperDatabase | undefined {
    return this.databases.get(`${clusterId} ${name}`);
  }

  /** Whatever is dumped or loaded now comes to nothing, as when the leader goes. */
  interrupt(message: string): void {
    for (const [nodeId, { backupId }] of this.taking) this.#failed.set(`${nodeId} ${backupId}`, message);
    for (const { input } of this.loading.values()) {
      this.#failedLoads.set(input.operationId, { message, isFinal: false });
    }
    this.taking.clear();
    this.loading.clear();
  }

  #take(input: Input<"take-logical-backup">): LogicalStanding {
    const { backupId, nodeId } = input;
    const before = this.#look(input);
    if (before.state === "done" || before.state === "running") return before;
    this.begun.push(nodeId);
    this.#failed.delete(`${nodeId} ${backupId}`);
    const objection = this.objection(nodeId);
    if (objection === null) this.taking.set(nodeId, { backupId, looks: 0 });
    else this.#failed.set(`${nodeId} ${backupId}`, objection);
    return { ...idle, state: "running", backup: null };
  }

  #look({ backupId, nodeId }: Input<"logical-backup-standing">): LogicalStanding {
    const taking = this.taking.get(nodeId);
    if (taking?.backupId === backupId) {
      taking.looks += 1;
      if (taking.looks <= this.looksNeeded) {
        const bytesDone = Math.round((bytesTotal * taking.looks) / (this.looksNeeded + 1));
        return { ...idle, state: "running", progress: { bytesDone, bytesTotal }, backup: null };
      }
      this.taking.delete(nodeId);
      if (this.stored.has(backupId)) this.faults.push(`${backupId} was taken twice`);
      this.stored.set(backupId, factsOf(this.stored.size));
    }
    const backup = this.stored.get(backupId) ?? null;
    if (backup !== null) return { ...idle, state: "done", backup };
    const message = this.#failed.get(`${nodeId} ${backupId}`);
    if (message === undefined) return { ...idle, backup: null };
    return { ...idle, state: "failed", message, backup: null };
  }

  #load(verb: NodeVerb, raw: unknown, { nodeIds }: PaperPlace): unknown {
    const leader = nodeIds.at(-1);
    switch (verb) {
      case "inspect-database": {
        const { clusterId, name } = nodeVerbs[verb].input.parse(raw);
        const database = this.database(clusterId, name);
        return { exists: database !== undefined, isEmpty: database?.content == null };
      }
      case "load-database":
        return this.#beginLoad(nodeVerbs[verb].input.parse(raw), leader);
      case "load-standing":
        return this.#lookAtLoad(nodeVerbs[verb].input.parse(raw));
      case "end-load":
        this.#endLoad(nodeVerbs[verb].input.parse(raw), leader);
        return {};
      default:
        return undefined;
    }
  }

  #beginLoad(input: Input<"load-database">, leader: string | undefined): LoadStanding {
    const { clusterId, load, nodeId, operationId } = input;
    if (nodeId !== leader) throw new Error(`${nodeId} does not lead`);
    const before = this.#lookAtLoad(input);
    if (before.state === "done" || before.state === "running") return before;
    this.loads.push(nodeId);
    this.readFrom.push(input.repository);
    this.#failedLoads.delete(operationId);
    const key = `${clusterId} ${load.name}`;
    const failure = this.#objectionTo(input, key);
    if (failure === null) {
      const isMade = this.databases.get(key)?.isMade ?? true;
      this.databases.set(key, { content: null, mark: operationId, isMade });
      this.loading.set(nodeId, { key, input, looks: 0 });
    } else this.#failedLoads.set(operationId, failure);
    return { ...idle, state: "running", isFinal: false };
  }

  #objectionTo({ load: { source } }: Input<"load-database">, key: string) {
    const final = (message: string) => ({ message, isFinal: true });
    if (this.loadFailure !== null) return this.loadFailure;
    if (!this.stored.has(source.backupId)) return final("the backup is gone");
    return this.databases.get(key)?.content == null ? null : final("the database is not empty");
  }

  #lookAtLoad({ clusterId, load, nodeId, operationId }: Input<"load-standing">): LoadStanding {
    const loading = this.loading.get(nodeId);
    if (loading?.input.operationId === operationId) {
      loading.looks += 1;
      if (loading.looks <= this.looksNeeded) return { ...idle, state: "running", isFinal: false };
      this.loading.delete(nodeId);
      const isMade = this.databases.get(loading.key)?.isMade ?? true;
      this.databases.set(loading.key, { content: load.source.backupId, mark: operationId, isMade });
    }
    const database = this.database(clusterId, load.name);
    if (database?.mark === operationId && database.content !== null) {
      return { ...idle, state: "done", isFinal: false };
    }
    const failure = this.#failedLoads.get(operationId);
    return failure === undefined ? { ...idle, isFinal: false } : { ...idle, state: "failed", ...failure };
  }

  #endLoad({ clusterId, load, nodeId, operationId }: Input<"end-load">, leader: string | undefined): void {
    if (this.loading.get(nodeId)?.input.operationId === operationId) this.loading.delete(nodeId);
    this.#failedLoads.delete(operationId);
    const database = this.database(clusterId, load.name);
    if (nodeId !== leader || database?.mark !== operationId) return;
    if (database.content === null && database.isMade) this.databases.delete(`${clusterId} ${load.name}`);
    else database.mark = null;
  }
}

function factsOf(number: number): LogicalFacts {
  return {
    label: number.toString(16).padStart(16, "0"),
    startedAt: "2026-01-01T00:00:00.000Z",
    endedAt: "2026-01-01T00:01:00.000Z",
    sizeBytes: bytesTotal,
    repositoryBytes: bytesTotal / 4,
    postgresVersion: "17.5",
    databases: ["app", "postgres"],
  };
}
