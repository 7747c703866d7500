import { z } from "zod";
import { nodePaths } from "../../domain/config/index.ts";
import { identifier, literal, runSql } from "../psql.ts";

const databaseSchema = z.object({ name: z.string(), sizeBytes: z.int() });
export type FoundDatabase = z.infer<typeof databaseSchema>;

const listSql = `SELECT pg_catalog.json_build_object('name', datname, 'sizeBytes', pg_catalog.pg_database_size(oid))
FROM pg_catalog.pg_database WHERE NOT datistemplate AND datallowconn ORDER BY datname;`;

/** All that are no templates. */
export async function findDatabases(): Promise<FoundDatabase[]> {
  return (await runSql("postgres", listSql)).map((row) => databaseSchema.parse(JSON.parse(row)));
}

export async function serverVersion(): Promise<string> {
  const [version = ""] = await runSql("postgres", "SHOW server_version;");
  return plainVersion(version);
}

/** "17.5" of "17.5 (Debian 17.5-1)" and of "pg_dump (PostgreSQL) 17.5 (Debian 17.5-1)". */
export function plainVersion(text: string): string {
  return /\d+(?:\.\d+|beta\d+|rc\d+)*/.exec(text)?.[0] ?? text.trim();
}

/** For programs of PostgreSQL, which take a name with a "=" for a connection string. */
export function connectionTo(database: string): string {
  const quoted = database.replaceAll("\\", "\\\\").replaceAll("'", "\\'");
  return `host=${nodePaths.postgresSocket} user=postgres dbname='${quoted}'`;
}

const copySchema = z.object({ table: z.string(), share: z.number(), sizeBytes: z.int() });

const copiesSql = `SELECT pg_catalog.json_build_object(
  'table', p.relid::text,
  'share', p.bytes_processed::float8 / greatest(1, pg_catalog.pg_table_size(p.relid)),
  'sizeBytes', coalesce(pg_catalog.pg_total_relation_size(p.relid), 0))
FROM pg_catalog.pg_stat_progress_copy AS p
WHERE p.command = 'COPY TO' AND p.datname = pg_catalog.current_database() AND p.relid <> 0;`;

/** How much of a database is dumped, as far as can be told from the tables that were seen while they were copied. */
export class DumpProgress {
  readonly #database: string;
  readonly #tables = new Map<string, { share: number; readonly sizeBytes: number }>();

  constructor(database: string) {
    this.#database = database;
  }

  async look(): Promise<void> {
    const rows = await runSql(connectionTo(this.#database), copiesSql);
    this.seen(rows.map((row) => copySchema.parse(JSON.parse(row))));
  }

  /** Tables that are copied now: those of before are through. */
  seen(copies: readonly z.infer<typeof copySchema>[]): void {
    for (const table of this.#tables.values()) table.share = 1;
    for (const { share, sizeBytes, table } of copies) {
      this.#tables.set(table, { share: Math.min(1, share), sizeBytes });
    }
  }

  get bytesDone(): number {
    const done = [...this.#tables.values()].map(({ share, sizeBytes }) => Math.round(share * sizeBytes));
    return done.reduce((sum, bytes) => sum + bytes, 0);
  }
}

/** Below are PostgreSQL's own objects. */
const firstOid = 16_384;

const ofUsers = (catalog: string, condition = "true"): string =>
  `SELECT 1 FROM pg_catalog.${catalog} AS o WHERE o.oid >= ${firstOid} AND ${condition} AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend AS d
    WHERE d.classid = 'pg_catalog.${catalog}'::pg_catalog.regclass AND d.objid = o.oid AND d.deptype = 'e')`;

const plainCatalogs = [
  "pg_collation",
  "pg_conversion",
  "pg_event_trigger",
  "pg_foreign_data_wrapper",
  "pg_foreign_server",
  "pg_namespace",
  "pg_operator",
  "pg_proc",
  "pg_publication",
  "pg_ts_config",
  "pg_ts_dict",
];

/** Whatever a dump brings along and a new database does not have; what belongs to an extension does not count. */
const contentsSql = `SELECT pg_catalog.count(*) FROM (${[
  ofUsers("pg_class", "o.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')"),
  ofUsers("pg_type", "o.typtype IN ('b', 'd', 'e', 'r') AND o.typcategory <> 'A'"),
  ...plainCatalogs.map((catalog) => ofUsers(catalog)),
  "SELECT 1 FROM pg_catalog.pg_largeobject_metadata",
].join("\nUNION ALL\n")}) AS found;`;

/** The setting of a database that says which operation loads it: sessions see it and do nothing with it. */
const markName = "pgherd.load";

export interface DatabaseState {
  readonly exists: boolean;
  readonly isEmpty: boolean;
  /** The operation that was told to load it last. */
  readonly mark: string | null;
}

export async function inspectDatabase(name: string): Promise<DatabaseState> {
  const found = await runSql(
    "postgres",
    `SELECT 'there' FROM pg_catalog.pg_database WHERE datname = ${literal(name)} AND datallowconn AND NOT datistemplate;
SELECT pg_catalog.split_part(entry, '=', 2) FROM pg_catalog.pg_db_role_setting AS s
JOIN pg_catalog.pg_database AS d ON d.oid = s.setdatabase CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS entry
WHERE d.datname = ${literal(name)} AND s.setrole = 0 AND pg_catalog.split_part(entry, '=', 1) = ${literal(markName)};`,
  );
  if (found[0] === undefined) return { exists: false, isEmpty: true, mark: null };
  const [count] = await runSql(connectionTo(name), contentsSql);
  return { exists: true, isEmpty: count === "0", mark: found[1] ?? null };
}

/** @param operationId null: it is loaded no more */
export async function markDatabase(name: string, operationId: string | null): Promise<void> {
  const change = operationId === null ? `RESET ${markName}` : `SET ${markName} = ${literal(operationId)}`;
  await runSql("postgres", `ALTER DATABASE ${identifier(name)} ${change};`);
}
