import { DatabaseSync } from "node:sqlite";

/**
 * The state of the local endpoints: JSON documents in collections, one SQLite file, durable at every write,
 * so that a control plane killed at any moment finds what it had answered.
 */
export class Documents {
  readonly #database: DatabaseSync;

  /** @param path file of the database; `:memory:` keeps it in memory. */
  constructor(path: string) {
    this.#database = new DatabaseSync(path);
    this.#database.exec(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000;",
    );
    this.#database.exec(
      "CREATE TABLE IF NOT EXISTS documents (collection TEXT, id TEXT, body TEXT NOT NULL, PRIMARY KEY (collection, id)) WITHOUT ROWID",
    );
  }

  collection<T>(name: string): Collection<T> {
    return new Collection<T>(this.#database, name);
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

/** Documents of one kind, listed in the order of their ids. */
export class Collection<T> {
  readonly #database: DatabaseSync;
  readonly #name: string;

  constructor(database: DatabaseSync, name: string) {
    this.#database = database;
    this.#name = name;
  }

  get(id: string): T | undefined {
    const row = this.#database
      .prepare("SELECT body FROM documents WHERE collection = ? AND id = ?")
      .get(this.#name, id);
    return row === undefined ? undefined : (JSON.parse(String(row["body"])) as T);
  }

  put(id: string, value: T): void {
    this.#database
      .prepare("INSERT OR REPLACE INTO documents (collection, id, body) VALUES (?, ?, ?)")
      .run(this.#name, id, JSON.stringify(value));
  }

  delete(id: string): void {
    this.#database.prepare("DELETE FROM documents WHERE collection = ? AND id = ?").run(this.#name, id);
  }

  list(): T[] {
    return this.#database
      .prepare("SELECT body FROM documents WHERE collection = ? ORDER BY id")
      .all(this.#name)
      .map((row) => JSON.parse(String(row["body"])) as T);
  }
}
