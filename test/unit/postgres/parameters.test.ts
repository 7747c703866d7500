import { describe, expect, test } from "vitest";
import { refusedNames, sharedParameters } from "../../../layers/domain/postgres/parameter-rules.ts";
import {
  checkParameter,
  findParameter,
  type ParameterValue,
} from "../../../layers/domain/postgres/parameters.ts";

describe("a value that PostgreSQL takes", () => {
  test.each<[string, ParameterValue, string, number | null]>([
    ["work_mem", "16MB", "16MB", 16_384],
    ["work_mem", 8192, "8192", 8192],
    ["work_mem", " 1 GB ", "1 GB", 1_048_576],
    ["shared_buffers", "128MB", "128MB", 16_384],
    ["statement_timeout", "1.5s", "1.5s", 1500],
    ["checkpoint_timeout", "15min", "15min", 900],
    ["autovacuum_vacuum_scale_factor", 0.05, "0.05", 0.05],
    ["random_page_cost", "1.1", "1.1", 1.1],
    ["vacuum_cost_delay", "500us", "500us", 0.5],
    ["jit", false, "off", null],
    ["jit", "YES", "on", null],
    ["synchronous_commit", true, "on", null],
    ["wal_compression", "LZ4", "lz4", null],
    ["TimeZone", "Europe/Berlin", "Europe/Berlin", null],
    ["timezone", "UTC", "UTC", null],
    [
      "shared_preload_libraries",
      "pg_stat_statements, auto_explain",
      "pg_stat_statements, auto_explain",
      null,
    ],
    ["hnsw.ef_search", 100, "100", 100],
    ["max_connections", 500, "500", 500],
    ["log_min_duration_statement", -1, "-1", -1],
  ])("%s = %j", (name, value, text, number) => {
    expect(checkParameter(name, value)).toMatchObject({ ok: true, text, number });
  });
});

describe("a value that it does not take is refused with what would be right", () => {
  test.each<[string, ParameterValue, RegExp]>([
    ["work_mem", "16mb", /units are B, kB, MB, GB, TB/],
    ["work_mem", "16 parsecs", /unit that does not fit/],
    ["work_mem", "lots", /not a number/],
    ["work_mem", true, /not a number/],
    ["work_mem", "1kB", /out of range; allowed is from 64 to 2147483647/],
    ["statement_timeout", "5MB", /units are us, ms, s, min, h, d/],
    ["max_connections", "10ms", /without a unit/],
    ["max_connections", 10, /from 25/],
    ["max_connections", 50.5, /not a whole number/],
    ["max_replication_slots", 2, /from 10/],
    ["jit", "maybe", /not true or false/],
    ["wal_compression", "brotli", /one of pglz, lz4, zstd, on, off/],
    ["TimeZone", "Mars/Olympus", /not a time zone/],
    ["lc_messages", "de_DE.UTF-8", /one of C, C.UTF-8, POSIX/],
    ["log_line_prefix", "a\nb", /control characters/],
    ["log_line_prefix", 5, /not a string/],
    ["shared_preload_libraries", "timescaledb", /"timescaledb" is not one of/],
    ["default_text_search_config", "klingon", /not one of/],
    ["DateStyle", "ISO, XYZ", /"XYZ" is not one of/],
  ])("%s = %j", (name, value, message) => {
    const checked = checkParameter(name, value);
    expect(checked).toMatchObject({ ok: false, message: expect.stringMatching(message) });
  });
});

test.each([
  ["wrok_mem", "work_mem"],
  ["max_conections", "max_connections"],
  ["sharedbuffers", "shared_buffers"],
])("the slip %s is told as %s", (slip, meant) => {
  expect(checkParameter(slip, 1)).toMatchObject({
    ok: false,
    message: expect.stringContaining(`did you mean ${meant}?`),
  });
});

test("a name that resembles nothing is refused without a guess", () => {
  const checked = checkParameter("enable_warp_drive_by_default", true);
  expect(checked).toMatchObject({ ok: false, message: expect.not.stringContaining("did you mean") });
});

describe("what Patroni or pgherd owns is refused with the reason", () => {
  test.each([
    ["listen_addresses", /Patroni owns it/],
    ["port", /Patroni owns it/],
    ["hot_standby", /Patroni owns it/],
    ["wal_level", /Patroni owns it/],
    ["primary_conninfo", /Patroni owns it/],
    ["archive_command", /archiving/],
    ["archive_mode", /archiving/],
    ["restore_command", /archiving/],
    ["ssl", /encrypted/],
    ["ssl_key_file", /encrypted/],
    ["data_directory", /where PostgreSQL's files are/],
    ["hba_file", /where PostgreSQL's files are/],
    ["fsync", /lose or damage data/],
    ["full_page_writes", /lose or damage data/],
    ["zero_damaged_pages", /lose or damage data/],
    ["allow_system_table_mods", /PostgreSQL itself/],
    ["server_version", /only be read/],
    ["data_checksums", /only be read/],
    ["LISTEN_ADDRESSES", /Patroni owns it/],
  ])("%s", (name, reason) => {
    const checked = checkParameter(name, "x");
    expect(checked).toMatchObject({ ok: false, message: expect.stringMatching(reason) });
  });

  test("every rule is about a parameter that PostgreSQL has", () => {
    const names = [...refusedNames, ...Object.keys(sharedParameters)];
    expect(names.filter((name) => findParameter(name)?.name !== name)).toEqual([]);
  });
});
