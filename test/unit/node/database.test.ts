import { describe, expect, test } from "vitest";
import { createDatabaseSql, rightsSql, rolesSql } from "../../../layers/node/database-sql.ts";
import { identifier, literal } from "../../../layers/node/psql.ts";

describe("quoting", () => {
  test.each([
    ["a'b", "'a''b'"],
    ["'; DROP TABLE x; --", "'''; DROP TABLE x; --'"],
    ["back\\slash", "'back\\slash'"],
  ])("the literal %j", (text, quoted) => expect(literal(text)).toBe(quoted));

  test("an identifier with quotes", () => expect(identifier('a"b')).toBe('"a""b"'));
});

test("no role can do more than it must", () => {
  const sql = rolesSql(["admin", "client"], { admin: "A", client: "C", monitor: "M" });
  const made = new Set([...sql.matchAll(/CREATE ROLE "(\w+)"/g)].map(([, name]) => name));
  const restricted = sql.matchAll(/ALTER ROLE "(\w+)" NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION/g);
  expect(new Set([...restricted].map(([, name]) => name))).toEqual(made);
  expect(made).toEqual(new Set(["admin", "client", "monitor"]));
  expect(sql).toContain("REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC");
});

test("client gets rights on what admin makes later, and none to make anything", () => {
  const sql = rightsSql("app", []);
  for (const kind of ["SCHEMAS", "TABLES", "SEQUENCES"]) {
    expect(sql).toMatch(
      new RegExp(`ALTER DEFAULT PRIVILEGES FOR ROLE admin GRANT [A-Z, ]+ ON ${kind} TO client`),
    );
  }
  expect(sql).not.toMatch(/GRANT[^;]*(CREATE|TRUNCATE|ALL)[^;]*TO client/);
});

test("the database is UTF-8 and admin's", () => {
  expect(createDatabaseSql("app")).toBe(
    `CREATE DATABASE "app" OWNER admin TEMPLATE template0 ENCODING 'UTF8';`,
  );
});
