/** The extensions of the node image: PostgreSQL's contrib modules and pgvector. */

export interface Extension {
  readonly name: string;
  /** Library that PostgreSQL must load at its start for the extension to work. */
  readonly preload?: string;
}

const plain = [
  "amcheck",
  "autoinc",
  "bloom",
  "btree_gin",
  "btree_gist",
  "citext",
  "cube",
  "dblink",
  "dict_int",
  "dict_xsyn",
  "earthdistance",
  "file_fdw",
  "fuzzystrmatch",
  "hstore",
  "insert_username",
  "intagg",
  "intarray",
  "isn",
  "lo",
  "ltree",
  "moddatetime",
  "pageinspect",
  "pg_buffercache",
  "pg_freespacemap",
  "pg_prewarm",
  "pg_surgery",
  "pg_trgm",
  "pg_visibility",
  "pg_walinspect",
  "pgcrypto",
  "pgrowlocks",
  "pgstattuple",
  "plpgsql",
  "postgres_fdw",
  "refint",
  "seg",
  "sslinfo",
  "tablefunc",
  "tcn",
  "tsm_system_rows",
  "tsm_system_time",
  "unaccent",
  "uuid-ossp",
  "vector",
  "xml2",
];

const extensions = new Map<string, Extension>(plain.map((name) => [name, { name }]));
extensions.set("pg_stat_statements", { name: "pg_stat_statements", preload: "pg_stat_statements" });

export const extensionNames: readonly string[] = [...extensions.keys()].sort();

function findExtension(name: string): Extension | undefined {
  return extensions.get(name);
}

/** Why `name` cannot be used, or null. */
export function checkExtension(name: string): string | null {
  if (extensions.has(name)) return null;
  const hint = name === "pgvector" ? '; pgvector\'s extension is called "vector"' : "";
  return `"${name}" is not an extension of the node image${hint}; there are ${extensionNames.join(", ")}`;
}

/** Libraries that the named extensions need in shared_preload_libraries. */
export function preloadsOf(names: readonly string[]): string[] {
  return names.flatMap((name) => findExtension(name)?.preload ?? []);
}
