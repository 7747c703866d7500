import { describe, expect, test } from "vitest";
import { postgresWords } from "../../../layers/node/postgres-words.ts";

describe("why PostgreSQL does not run is told in its own words", () => {
  test("with what it adds to explain them, without time and process", () => {
    const lines = [
      "INFO: Lock owner: nod_a; I am nod_b",
      "2026-03-04 10:20:30.456 UTC [123] LOG:  starting PostgreSQL 17.6",
      "2026-03-04 10:20:30.460 UTC [123] FATAL:  could not map anonymous shared memory: Cannot allocate memory",
      "2026-03-04 10:20:30.460 UTC [123] HINT:  This error usually means that there is not enough memory.",
      "2026-03-04 10:20:30.461 UTC [123] LOG:  database system is shut down",
    ];
    expect(postgresWords(lines)).toBe(
      "FATAL:  could not map anonymous shared memory: Cannot allocate memory; HINT:  This error usually means that there is not enough memory.",
    );
  });

  test("and once, however often it tried", () => {
    const line = "2026-03-04 10:20:30.460 UTC [1] FATAL:  no";
    expect(postgresWords([line, line.replace("[1]", "[2]"), line])).toBe("FATAL:  no");
  });

  test("and not by clients who knocked meanwhile, nor with a secret", () => {
    const lines = [
      "2026-03-04 10:20:30.460 UTC [1] client@app/psql FATAL:  the database system is starting up",
      '2026-03-04 10:20:30.460 UTC [1] FATAL:  invalid connection string "host=x password=hunter2"',
    ];
    expect(postgresWords(lines)).toMatch(/^FATAL: {2}invalid connection string/);
    expect(postgresWords(lines)).not.toContain("hunter2");
    expect(postgresWords(lines.slice(0, 1))).toBeNull();
  });
});
