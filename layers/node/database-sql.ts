import type { loginUsers } from "./passwords.ts";
import { identifier, literal } from "./psql.ts";

type LoginUser = (typeof loginUsers)[number];

function ensureRole(name: LoginUser, verifier: string): string {
  const role = identifier(name);
  return `DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ${literal(name)}) THEN
    CREATE ROLE ${role};
  END IF;
END $$;
ALTER ROLE ${role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD ${literal(verifier)};`;
}

/** Roles, and who may connect to PostgreSQL's own databases. */
export function rolesSql(verifiers: Readonly<Record<LoginUser, string>>): string {
  return `BEGIN;
${ensureRole("admin", verifiers.admin)}
${ensureRole("client", verifiers.client)}
${ensureRole("monitor", verifiers.monitor)}
GRANT pg_monitor TO monitor;
GRANT pg_monitor, pg_signal_backend TO admin;
REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC;
GRANT CONNECT ON DATABASE postgres TO monitor, rewind;
COMMIT;`;
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
