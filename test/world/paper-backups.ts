import { gzipSync } from "node:zlib";
import { keptInRepository, type RepositoryBackup, reasonToKeep } from "../../layers/domain/index.ts";
import {
  type BackupStanding,
  type NodeCommands,
  type NodeVerb,
  nodeVerbs,
} from "../../layers/domain/node/index.ts";
import type { Repositories } from "../../layers/ports/index.ts";
import type { PaperPlace } from "./paper-place.ts";

interface Taking {
  readonly clusterId: string;
  readonly backupId: string;
  readonly type: RepositoryBackup["type"];
  looks: number;
}

const bytesTotal = 1024 ** 3;

/** What pgBackRest promises of the repositories of clusters, which outlive machines, and of what nodes take. */
export class PaperBackups {
  readonly repositories = new Map<string, RepositoryBackup[]>();
  /** Node → what it takes. */
  readonly taking = new Map<string, Taking>();
  /** `<node> <type>` for every backup that was begun. */
  readonly begun: string[] = [];
  /** Everything that must not have happened on the way. */
  readonly faults: string[] = [];
  /** Cluster → the first WAL segment that is still in its archive. */
  readonly archivedFrom = new Map<string, string>();
  /** Set: nothing gets out of a repository, for this reason. */
  deleteFailure: string | null = null;
  /** Looks at a backup until it is done. */
  looksNeeded = 2;
  /** pgBackRest's words about backups that are begun on these nodes; null: they are taken. */
  objection: (nodeId: string) => string | null = () => null;
  /** Set: nothing gets into a repository, for this reason. */
  archiveFailure: string | null = null;
  /** Set: S3 removes nothing, for this reason. */
  removalFailure: string | null = null;
  /** Clusters whose leaders were asked to archive what they had, each time. */
  readonly archived: string[] = [];
  /** `<cluster> <name>` for every restore point that PostgreSQL has made. */
  readonly points: string[] = [];
  readonly #failed = new Map<string, string>();
  #taken = 0;

  /** Undefined: not a verb of this family. */
  do(verb: NodeVerb, raw: unknown, place: PaperPlace): unknown {
    for (const nodeId of this.taking.keys()) if (!place.isUp(nodeId)) this.taking.delete(nodeId);
    switch (verb) {
      case "ensure-stanza":
        return this.#ensureStanza(nodeVerbs[verb].input.parse(raw), place);
      case "take-backup":
        return this.#take(nodeVerbs[verb].input.parse(raw));
      case "backup-standing":
        return this.#look(nodeVerbs[verb].input.parse(raw));
      case "archive-now":
        return this.#archive(nodeVerbs[verb].input.parse(raw), place);
      case "make-restore-point":
        return this.#makePoint(nodeVerbs[verb].input.parse(raw), place);
      case "stop-backup":
        this.taking.delete(nodeVerbs[verb].input.parse(raw).nodeId);
        return {};
      case "list-backups": {
        const { clusterId } = nodeVerbs[verb].input.parse(raw);
        return { list: gzipSync(JSON.stringify(this.#repository(clusterId))).toString("base64") };
      }
      case "delete-backup":
        return this.#delete(nodeVerbs[verb].input.parse(raw));
      case "expire-archive":
        return this.#expireArchive(nodeVerbs[verb].input.parse(raw));
      default:
        return undefined;
    }
  }

  /** What stands for the bucket itself. */
  removeAll: Repositories["removeAll"] = async ({ clusterId }) => {
    if (this.removalFailure !== null) throw new Error(this.removalFailure);
    const removed = this.repositories.delete(clusterId) ? 1 : 0;
    return { removed, isDone: true };
  };

  /** Whatever a node takes of the cluster comes to nothing, as when the leader goes while it is read. */
  interrupt(message: string): void {
    for (const [nodeId, { backupId }] of this.taking) {
      this.taking.delete(nodeId);
      this.#failed.set(`${nodeId} ${backupId}`, message);
    }
  }

  #repository(clusterId: string): RepositoryBackup[] {
    const found = this.repositories.get(clusterId);
    if (found === undefined) throw new Error("there is no stanza");
    return found;
  }

  #ensureStanza({ clusterId, nodeId }: NodeCommands["ensure-stanza"]["input"], place: PaperPlace) {
    if (nodeId !== place.nodeIds.at(-1)) throw new Error(`${nodeId} does not lead`);
    if (this.archiveFailure !== null) throw new Error(this.archiveFailure);
    if (!this.repositories.has(clusterId)) this.repositories.set(clusterId, []);
    return { archivedWal: "000000010000000000000001" };
  }

  #archive({ clusterId, nodeId }: NodeCommands["archive-now"]["input"], place: PaperPlace) {
    if (nodeId !== place.nodeIds.at(-1)) throw new Error(`${nodeId} does not lead`);
    if (this.archiveFailure !== null) throw new Error(this.archiveFailure);
    this.archived.push(clusterId);
    return { ...position(), archivedWal: "000000010000000000000014", forks: [] };
  }

  #makePoint({ clusterId, name, nodeId }: NodeCommands["make-restore-point"]["input"], place: PaperPlace) {
    if (nodeId !== place.nodeIds.at(-1)) throw new Error(`${nodeId} does not lead`);
    this.points.push(`${clusterId} ${name}`);
    return position();
  }

  #take({ backupId, clusterId, nodeId, type }: NodeCommands["take-backup"]["input"]): BackupStanding {
    const before = this.#look({ backupId, clusterId, nodeId });
    if (before.state === "done" || before.state === "running") return before;
    this.begun.push(`${nodeId} ${type}`);
    this.#failed.delete(`${nodeId} ${backupId}`);
    const objection = this.#isTaken(clusterId)
      ? "unable to acquire pgBackRest advisory lock"
      : this.objection(nodeId);
    if (objection === null) this.taking.set(nodeId, { clusterId, backupId, type, looks: 0 });
    else this.#failed.set(`${nodeId} ${backupId}`, objection);
    return standing("running");
  }

  #isTaken(clusterId: string): boolean {
    return [...this.taking.values()].some((one) => one.clusterId === clusterId);
  }

  #look({ backupId, clusterId, nodeId }: NodeCommands["backup-standing"]["input"]): BackupStanding {
    const taking = this.taking.get(nodeId);
    if (taking?.backupId === backupId) {
      taking.looks += 1;
      if (taking.looks > this.looksNeeded) this.#finish(nodeId, taking);
    }
    const backup = this.#repository(clusterId).find((one) => one.backupId === backupId);
    if (backup !== undefined) return { ...standing("done"), backup };
    if (taking?.backupId === backupId) {
      const bytesDone = Math.round((bytesTotal * taking.looks) / (this.looksNeeded + 1));
      return { ...standing("running"), progress: { bytesDone, bytesTotal } };
    }
    const message = this.#failed.get(`${nodeId} ${backupId}`);
    return message === undefined ? standing("absent") : { ...standing("failed"), message };
  }

  #finish(nodeId: string, { backupId, clusterId, type }: Taking): void {
    const repository = this.#repository(clusterId);
    if (repository.some((one) => one.backupId === backupId)) this.faults.push(`${backupId} was taken twice`);
    this.taking.delete(nodeId);
    this.#taken += 1;
    const full = repository.findLast((one) => one.type === "full");
    const label = `20260101-${String(this.#taken).padStart(6, "0")}F`;
    const wal = `0000000100000000${(this.#taken + 1).toString(16).toUpperCase().padStart(8, "0")}`;
    const built = repository.filter((one) => type === "incr" || one.type === "full").at(-1);
    const wholeSecond = new Date(Math.floor(Date.now() / 1000) * 1000).toISOString();
    const isFull = type === "full" || full === undefined;
    repository.push({
      label: isFull ? label : `${full.label}_${label.slice(0, -1)}${type === "diff" ? "D" : "I"}`,
      backupId,
      type: isFull ? "full" : type,
      startedAt: wholeSecond,
      endedAt: wholeSecond,
      sizeBytes: bytesTotal,
      repositoryBytes: bytesTotal / 4,
      walStart: wal,
      walStop: wal,
      lsnStart: "0/800028",
      lsnStop: "0/800158",
      references: isFull || built === undefined ? [] : [...built.references, built.label],
    });
  }

  /** What there is of WAL begins with the first full backup, if there is one. */
  #expireArchive({ clusterId }: NodeCommands["expire-archive"]["input"]): Record<string, never> {
    const first = this.#repository(clusterId).find((one) => one.type === "full");
    if (first?.walStart != null) this.archivedFrom.set(clusterId, first.walStart);
    return {};
  }

  #delete({ clusterId, label }: NodeCommands["delete-backup"]["input"]): Record<string, never> {
    const repository = this.#repository(clusterId);
    const kept = keptInRepository(repository);
    const backup = kept.find((one) => one.label === label);
    if (this.deleteFailure !== null) throw new Error(this.deleteFailure);
    const reason = backup === undefined ? null : reasonToKeep(backup, kept);
    if (reason !== null) throw new Error(reason);
    this.repositories.set(
      clusterId,
      repository.filter((one) => one.label !== label),
    );
    return {};
  }
}

const position = () => ({ at: new Date().toISOString(), timeline: 1, lsn: "0/5000148" });

const standing = (state: BackupStanding["state"]): BackupStanding => ({
  state,
  message: null,
  progress: null,
  backup: null,
});
