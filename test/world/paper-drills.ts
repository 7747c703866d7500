import type { DrillChecks } from "../../layers/domain/index.ts";
import {
  type DrillStanding,
  type NodeVerb,
  nodeVerbs,
  type VerificationStanding,
} from "../../layers/domain/node/index.ts";

/** What nodes promise of proving backups: a look at restored data, and at everything that is stored. */
export class PaperDrills {
  /** Tables of the restored database, and how many rows they have. */
  readonly rows = new Map<string, number>([["public.orders", 42]]);
  /** pg_amcheck's complaint; null: it has none. */
  corruption: string | null = null;
  /** pgBackRest's finding about everything that is stored; null: all of it is well. */
  damage: string | null = null;
  /** Set: `pgbackrest verify` does not come to its end, for this reason. */
  verifyFailure: string | null = null;
  /** Looks until a node has seen everything. */
  looksNeeded = 2;
  /** `<node> <operation>` for every look that was begun. */
  readonly begun: string[] = [];
  readonly #looks = new Map<string, number>();

  /** Undefined: not a verb of this family. */
  do(verb: NodeVerb, raw: unknown): unknown {
    switch (verb) {
      case "check-restored": {
        const { nodeId, operationId, tables } = nodeVerbs[verb].input.parse(raw);
        return this.#check(`check ${nodeId} ${operationId}`, tables);
      }
      case "verify-repository": {
        const { nodeId, operationId } = nodeVerbs[verb].input.parse(raw);
        const key = `verify ${nodeId} ${operationId}`;
        if (!this.#looks.has(key)) this.begun.push(key);
        return this.#verify(key, 0);
      }
      case "verification-standing": {
        const { nodeId, operationId } = nodeVerbs[verb].input.parse(raw);
        return this.#verify(`verify ${nodeId} ${operationId}`, 1);
      }
      case "stop-verification": {
        const { nodeId, operationId } = nodeVerbs[verb].input.parse(raw);
        this.#looks.delete(`verify ${nodeId} ${operationId}`);
        return {};
      }
      default:
        return undefined;
    }
  }

  #check(key: string, tables: readonly string[]): DrillStanding {
    const looks = this.#looks.get(key);
    if (looks === undefined) this.begun.push(key);
    this.#looks.set(key, (looks ?? 0) + 1);
    if ((looks ?? 0) < this.looksNeeded) return { state: "running", message: null, checks: null };
    return { state: "done", message: null, checks: this.#found(tables) };
  }

  #found(tables: readonly string[]): DrillChecks {
    const amcheck =
      this.corruption === null ? { ok: true, detail: "Well." } : { ok: false, detail: this.corruption };
    return {
      amcheck,
      checksums: { ok: true, detail: "1000 pages are what was written." },
      tables: tables.map((table) => {
        const rows = this.rows.get(table);
        return rows === undefined
          ? { table, rows: null, ok: false, detail: `relation "${table}" does not exist` }
          : { table, rows, ok: true, detail: `${rows} rows` };
      }),
    };
  }

  #verify(key: string, step: number): VerificationStanding {
    const looks = (this.#looks.get(key) ?? 0) + step;
    this.#looks.set(key, looks);
    if (looks < this.looksNeeded) return { state: "running", message: null, found: null };
    if (this.verifyFailure !== null) return { state: "failed", message: this.verifyFailure, found: null };
    const found = { ok: this.damage === null, backups: 1, walSegments: 5 };
    return { state: "done", message: this.damage, found };
  }
}
