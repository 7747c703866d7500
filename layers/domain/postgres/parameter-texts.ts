import { preloadableLibraries } from "./parameter-rules.ts";

/**
 * What a text parameter may say. PostgreSQL refuses to start with a wrong one of these, so it is caught before.
 */

/** A quoted value in postgresql.conf is one line. */
const oneLine = /^[^\p{Cc}]*$/u;

/** The node image is made without further locales. */
const locales = ["C", "C.UTF-8", "POSIX"];

const textSearchConfigurations = [
  "arabic",
  "armenian",
  "basque",
  "catalan",
  "danish",
  "dutch",
  "english",
  "finnish",
  "french",
  "german",
  "greek",
  "hindi",
  "hungarian",
  "indonesian",
  "irish",
  "italian",
  "lithuanian",
  "nepali",
  "norwegian",
  "portuguese",
  "romanian",
  "russian",
  "serbian",
  "simple",
  "spanish",
  "swedish",
  "tamil",
  "turkish",
  "yiddish",
];

/** Encodings that a UTF-8 database converts to (pg_encoding names that people use). */
const clientEncodings = [
  "UTF8",
  "SQL_ASCII",
  "LATIN1",
  "LATIN2",
  "LATIN9",
  "WIN1250",
  "WIN1251",
  "WIN1252",
  "KOI8R",
  "SJIS",
  "EUC_JP",
  "EUC_KR",
  "EUC_CN",
  "BIG5",
  "GBK",
  "GB18030",
];

const dateStyleWords = ["iso", "sql", "postgres", "german", "dmy", "mdy", "ymd"];

type TextCheck = (value: string) => string | null;

function oneOf(known: readonly string[], folded = false): TextCheck {
  return (value) => {
    const found = known.some((word) =>
      folded ? word.toLowerCase() === value.toLowerCase() : word === value,
    );
    return found ? null : `"${value}" is not one of ${known.join(", ")}`;
  };
}

function listOf(known: readonly string[], mayBeEmpty: boolean): TextCheck {
  return (value) => {
    if (value.trim() === "") return mayBeEmpty ? null : `it must name some of ${known.join(", ")}`;
    const wrong = value
      .split(",")
      .map((word) => word.trim())
      .find((word) => !known.includes(word.toLowerCase()));
    return wrong === undefined
      ? null
      : `"${wrong}" is not one of ${known.join(", ")} (a list has commas between)`;
  };
}

function timeZone(value: string): string | null {
  try {
    new Intl.DateTimeFormat("en", { timeZone: value });
    return null;
  } catch (error) {
    if (error instanceof RangeError) return `"${value}" is not a time zone such as UTC or Europe/Berlin`;
    throw error;
  }
}

function textSearchConfiguration(value: string): string | null {
  const name = value.startsWith("pg_catalog.") ? value.slice("pg_catalog.".length) : value;
  return oneOf(textSearchConfigurations)(name);
}

const checks: Readonly<Record<string, TextCheck>> = {
  DateStyle: listOf(dateStyleWords, false),
  TimeZone: timeZone,
  log_timezone: timeZone,
  client_encoding: oneOf(clientEncodings, true),
  createrole_self_grant: listOf(["set", "inherit"], true),
  default_table_access_method: oneOf(["heap"]),
  default_text_search_config: textSearchConfiguration,
  lc_messages: oneOf(locales),
  lc_monetary: oneOf(locales),
  lc_numeric: oneOf(locales),
  lc_time: oneOf(locales),
  restrict_nonsystem_relation_kind: listOf(["view", "foreign-table"], true),
  session_preload_libraries: listOf(["auto_explain"], true),
  shared_preload_libraries: listOf(preloadableLibraries, true),
  timezone_abbreviations: oneOf(["Default", "Australia", "India"]),
};

/** Why the parameter cannot have this text, or null. */
export function checkText(name: string, value: string): string | null {
  if (!oneLine.test(value)) return "it must be one line without control characters";
  return checks[name]?.(value) ?? null;
}
