import { chmodSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";

/**
 * The state of the local endpoints: JSON documents in collections, one SQLite file, durable at every write,
 * so that a control plane killed at any moment finds what it had answered.
 */
export class Documents {
  readonly #database: DatabaseSync;
  readonly #statements: Statements;

  /** @param path file of the database; `:memory:` keeps it in memory. */
  constructor(path: string) {
    this.#database = new DatabaseSync(path);
    // SQLite gives its other files the same mode.
    if (path !== ":memory:") chmodSync(path, 0o600);
    this.#database.exec(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000;",
    );
    this.#database.exec(
      "CREATE TABLE IF NOT EXISTS documents (collection TEXT, id TEXT, body TEXT NOT NULL, PRIMARY KEY (collection, id)) WITHOUT ROWID",
    );
    this.#statements = prepare(this.#database);
  }

  collection<T>(name: string): Collection<T> {
    return new Collection<T>(this.#statements, name);
  }

  /** All writes of `work` or none. `work` must not await. */
  transaction<T>(work: () => T): T {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#database.exec("COMMIT");
      return result;
    } catch (error) {
      this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  close(): void {
    this.#database.close();
  }
}

interface Statements {
  readonly get: StatementSync;
  readonly put: StatementSync;
  readonly delete: StatementSync;
  readonly list: StatementSync;
  readonly listFrom: StatementSync;
  readonly listAfter: StatementSync;
  readonly count: StatementSync;
}

function prepare(database: DatabaseSync): Statements {
  return {
    get: database.prepare("SELECT body FROM documents WHERE collection = ? AND id = ?"),
    put: database.prepare("INSERT OR REPLACE INTO documents (collection, id, body) VALUES (?, ?, ?)"),
    delete: database.prepare("DELETE FROM documents WHERE collection = ? AND id = ?"),
    list: database.prepare("SELECT body FROM documents WHERE collection = ? ORDER BY id"),
    listFrom: database.prepare(
      "SELECT body FROM documents WHERE collection = ? AND id >= ? AND id < ? ORDER BY id",
    ),
    listAfter: database.prepare(
      "SELECT body FROM documents WHERE collection = ? AND id >= ? AND id < ? AND id > ? ORDER BY id LIMIT ?",
    ),
    count: database.prepare("SELECT count(*) AS count FROM documents WHERE collection = ?"),
  };
}

/** Sorts after every character of an id. */
export const afterEveryId = "\u{10ffff}";

/** Documents of one kind, listed in the order of their ids. */
export class Collection<T> {
  readonly #statements: Statements;
  readonly #name: string;

  constructor(statements: Statements, name: string) {
    this.#statements = statements;
    this.#name = name;
  }

  get(id: string): T | undefined {
    const row = this.#statements.get.get(this.#name, id);
    return row === undefined ? undefined : (JSON.parse(String(row["body"])) as T);
  }

  put(id: string, value: T): void {
    this.#statements.put.run(this.#name, id, JSON.stringify(value));
  }

  delete(id: string): void {
    this.#statements.delete.run(this.#name, id);
  }

  list(): T[] {
    return parseRows(this.#statements.list.all(this.#name));
  }

  /** Documents whose id begins with `prefix`. */
  listFrom(prefix: string): T[] {
    return parseRows(this.#statements.listFrom.all(this.#name, prefix, prefix + afterEveryId));
  }

  /** At most `limit` documents whose id begins with `prefix` and comes after `after`. */
  listAfter(prefix: string, after: string, limit: number): T[] {
    return parseRows(this.#statements.listAfter.all(this.#name, prefix, prefix + afterEveryId, after, limit));
  }

  count(): number {
    return Number(this.#statements.count.get(this.#name)?.["count"] ?? 0);
  }
}

function parseRows<T>(rows: readonly Record<string, unknown>[]): T[] {
  return rows.map((row) => JSON.parse(String(row["body"])) as T);
}
