import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { redact } from "../../../layers/domain/log-redaction.ts";

/** Whatever people take for a password; long enough not to be in a message by chance. */
const secret = fc.stringMatching(/^[A-Za-z0-9!#%*+.<>?@^_{|}~-]{8,24}$/);

const forms: Record<string, (word: string) => string> = {
  "a role statement": (word) => `STATEMENT:  ALTER ROLE bob PASSWORD '${word}'`,
  "a role statement over several lines": (word) =>
    `STATEMENT:  CREATE USER bob\n\tWITH PASSWORD\n\t'${word}' LOGIN`,
  "a role statement with a comment": (word) => `STATEMENT:  ALTER ROLE bob PASSWORD /* new */ '${word}'`,
  "a role statement that is misspelt": (word) => `STATEMENT:  ALTER ROLE bob PASWORD '${word}'`,
  "an escaped literal": (word) => `LOG:  statement: alter user bob encrypted password E'${word}\\''`,
  "a dollar-quoted literal": (word) => `LOG:  statement: ALTER ROLE bob PASSWORD $x$${word}$x$`,
  "a literal that was cut off": (word) => `LOG:  statement: ALTER ROLE bob PASSWORD '${word}`,
  "a user mapping": (word) =>
    `STATEMENT:  CREATE USER MAPPING FOR bob SERVER s OPTIONS (user 'bob', password '${word}')`,
  "a connection string": (word) =>
    `ERROR:  could not connect: host=a password=${word.replaceAll(/[,;)]/g, "x")} user=b`,
  "a URI": (word) => `ERROR:  no route to postgresql://bob:${word.replaceAll(/[@/]/g, "x")}@host/db`,
  "the word that was not expected": (word) => `ERROR:  syntax error at or near "'${word}'" at character 17`,
};

describe("a password never shows", () => {
  test.each(Object.keys(forms))("in %s", (form) => {
    fc.assert(
      fc.property(secret, (word) => {
        const message = forms[form]?.(word) ?? "";
        const shown = redact(message);
        const core = word.replaceAll(/[,;)@/]/g, "x");
        expect(shown).not.toContain(word);
        expect(shown).not.toContain(core);
      }),
    );
  });

  test("in any place, when it is one that we know", () => {
    fc.assert(
      fc.property(secret, fc.string(), fc.string(), (word, before, after) => {
        expect(redact(`${before}${word}${after}`, [word])).not.toContain(word);
      }),
    );
  });

  test("as a verifier", () => {
    const verifier = "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy";
    expect(redact(`LOG: ${verifier} and md5${"a".repeat(32)}`)).toBe("LOG: [redacted] and [redacted]");
  });
});

test.each([
  'FATAL:  password authentication failed for user "client"',
  "DETAIL:  Connection matched file pg_hba.conf line 4",
  "LOG:  checkpoint complete: wrote 3 buffers (0.0%)",
  "ERROR:  duplicate key value violates unique constraint \"a\"\n\tDETAIL:  Key (id)=('x') already exists.",
  "INFO: no action. I am (nod_01JD3V9Q0CZ5J8W6T4S2R1N7KM), the leader with the lock",
  "STATEMENT:  INSERT INTO seen VALUES ('a')",
])("what holds no password is shown as it is: %s", (message) => {
  expect(redact(message, ["correct-horse"])).toBe(message);
});
