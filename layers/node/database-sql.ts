import { type Login, loginPairs, loginSchema, userOf } from "../domain/cluster/logins.ts";
import type { Verifiers } from "./passwords.ts";
import { identifier, literal } from "./psql.ts";

function ensureRole(name: string): string {
  return `DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ${literal(name)}) THEN
    CREATE ROLE ${identifier(name)};
  END IF;
END $$;
ALTER ROLE ${identifier(name)} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION;`;
}

function passwordSql(name: string, verifiers: Verifiers): string {
  const verifier = verifiers[name];
  if (verifier === undefined) throw new Error(`there is no password of ${name}`);
  return `ALTER ROLE ${identifier(name)} LOGIN PASSWORD ${literal(verifier)};`;
}

/** Settings whose value PostgreSQL keeps as a list that is quoted already. */
const listSettings = [
  "search_path",
  "temp_tablespaces",
  "session_preload_libraries",
  "local_preload_libraries",
];

/**
 * A second login is its user from its first statement on: what it makes belongs to the user, what the user may, it
 * may, and what is set for the user holds for it.
 */
function secondLoginSql(login: Login): string {
  const user = identifier(userOf(login));
  const role = identifier(login);
  const lists = listSettings.map(literal).join(", ");
  return `GRANT ${user} TO ${role} WITH INHERIT TRUE, SET TRUE;
ALTER ROLE ${role} RESET ALL;
DO $$
DECLARE
  setting record;
BEGIN
  FOR setting IN
    SELECT datname, split_part(entry, '=', 1) AS name, substr(entry, strpos(entry, '=') + 1) AS value
    FROM pg_catalog.pg_db_role_setting AS s
    CROSS JOIN LATERAL unnest(s.setconfig) AS entry
    LEFT JOIN pg_catalog.pg_database AS d ON d.oid = s.setdatabase
    WHERE s.setrole = ${literal(userOf(login))}::regrole AND (s.setdatabase = 0 OR d.oid IS NOT NULL)
  LOOP
    EXECUTE format(
      CASE WHEN setting.name IN (${lists}) THEN 'ALTER ROLE ${role}%s SET %I TO %s' ELSE 'ALTER ROLE ${role}%s SET %I TO %L' END,
      CASE WHEN setting.datname IS NULL THEN '' ELSE format(' IN DATABASE %I', setting.datname) END,
      setting.name,
      setting.value
    );
  END LOOP;
END $$;
ALTER ROLE ${role} SET role = ${literal(userOf(login))};`;
}

const isFirst = (login: Login): boolean => loginPairs[userOf(login)][0] === login;

/** Logins that begin, with their passwords. */
export function enableLoginsSql(logins: readonly Login[], verifiers: Verifiers): string {
  const each = logins.map((login) =>
    [
      ensureRole(login),
      ...(isFirst(login) ? [] : [secondLoginSql(login)]),
      passwordSql(login, verifiers),
    ].join("\n"),
  );
  return `BEGIN;\n${each.join("\n")}\nCOMMIT;`;
}

/** A login that ends: nobody logs in with it any more; the role, its rights and open connections stay. */
function disableSql(login: Login): string {
  return `DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ${literal(login)}) THEN
    ALTER ROLE ${identifier(login)} NOLOGIN PASSWORD NULL;
  END IF;
END $$;`;
}

export function disableLoginsSql(logins: readonly Login[]): string {
  return `BEGIN;\n${logins.map(disableSql).join("\n")}\nCOMMIT;`;
}

/** New passwords of roles that are there, all at the same moment. */
export function changePasswordsSql(verifiers: Verifiers): string {
  const each = Object.keys(verifiers).map((name) => passwordSql(name, verifiers));
  return `BEGIN;\n${each.join("\n")}\nCOMMIT;`;
}

/** How many of these roles do not have these passwords. */
export function unchangedPasswordsSql(verifiers: Verifiers): string {
  const rows = Object.entries(verifiers).map(
    ([name, verifier]) => `(${literal(name)}, ${literal(verifier)})`,
  );
  return `SELECT pg_catalog.count(*) FROM (VALUES ${rows.join(", ")}) AS wanted (name, verifier)
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_authid WHERE rolname = name AND rolpassword = verifier AND rolcanlogin);`;
}

/** Roles, and who may connect to PostgreSQL's own databases. */
export function rolesSql(logins: readonly Login[], verifiers: Verifiers): string {
  const ended = loginSchema.options.filter((login) => !logins.includes(login));
  return `BEGIN;
${ensureRole("admin")}
${ensureRole("client")}
${ensureRole("monitor")}
${passwordSql("monitor", verifiers)}
GRANT pg_monitor TO monitor;
GRANT pg_monitor, pg_signal_backend TO admin;
REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC;
GRANT CONNECT ON DATABASE postgres TO monitor, rewind;
COMMIT;
${enableLoginsSql(logins, verifiers)}
${disableLoginsSql(ended)}`;
}

export function databaseExistsSql(database: string): string {
  return `SELECT 1 FROM pg_catalog.pg_database WHERE datname = ${literal(database)};`;
}

export function createDatabaseSql(database: string): string {
  return `CREATE DATABASE ${identifier(database)} OWNER admin TEMPLATE template0 ENCODING 'UTF8';`;
}

const objectsOfAdmin = `
DO $$
DECLARE
  name name;
BEGIN
  FOR name IN SELECT nspname FROM pg_catalog.pg_namespace WHERE nspowner = 'admin'::regrole LOOP
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO client', name);
  END LOOP;
END $$;
DO $$
DECLARE
  object record;
BEGIN
  FOR object IN
    SELECT oid::regclass AS name, relkind FROM pg_catalog.pg_class
    WHERE relowner = 'admin'::regrole AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  LOOP
    IF object.relkind = 'S' THEN
      EXECUTE format('GRANT USAGE, SELECT ON SEQUENCE %s TO client', object.name);
    ELSE
      EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE %s TO client', object.name);
    END IF;
  END LOOP;
END $$;`;

/** Rights and extensions inside the database. `client` uses what `admin` makes, now and later, and makes nothing. */
export function rightsSql(database: string, extensions: readonly string[]): string {
  const name = identifier(database);
  const create = extensions.map(
    (extension) => `CREATE EXTENSION IF NOT EXISTS ${identifier(extension)} SCHEMA public CASCADE;`,
  );
  return `BEGIN;
ALTER DATABASE ${name} OWNER TO admin;
REVOKE ALL ON DATABASE ${name} FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE ${name} TO client;
GRANT CONNECT ON DATABASE ${name} TO monitor;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO client, monitor;
ALTER DEFAULT PRIVILEGES FOR ROLE admin GRANT USAGE ON SCHEMAS TO client;
ALTER DEFAULT PRIVILEGES FOR ROLE admin GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO client;
ALTER DEFAULT PRIVILEGES FOR ROLE admin GRANT USAGE, SELECT ON SEQUENCES TO client;
${objectsOfAdmin}
${create.join("\n")}
COMMIT;`;
}

export function extensionVersionsSql(extensions: readonly string[]): string {
  const names = extensions.map(literal).join(", ");
  return `SELECT pg_catalog.json_build_object('name', extname, 'version', extversion)
FROM pg_catalog.pg_extension WHERE extname IN (${names}) ORDER BY extname;`;
}
