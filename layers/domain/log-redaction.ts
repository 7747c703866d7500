/** What stands in a line where a secret was. */
export const redacted = "[redacted]";

/** Space, line breaks and comments may stand between a keyword and its literal. */
const gap = String.raw`(?:\s|--[^\n]*\n|/\*[\s\S]*?\*/)*`;
/** A literal of SQL, also one whose end the log has cut off: quoted, escaped, Unicode, or between dollars. */
const literal = String.raw`(?:(?:[EBXN]|U&)?'(?:[^'\\]|''|\\[\s\S])*(?:'|$)|\$(\w*)\$[\s\S]*?(?:\$\1\$|$))`;

const roleStatement = /\b(?:alter|create)\s+(?:role|user|group)\b/i;
const anyLiteral = new RegExp(literal, "gi");
const passwordLiteral = new RegExp(`\\b(\\w*password${gap})${literal}`, "gi");
/** In connection strings, also inside another literal, where quotes are doubled. */
const passwordAssigned =
  /\b(\w*(?:password|passwd|pwd)["']?\s*[=:]\s*)(?:''(?:[^']|$)*(?:''|$)|'(?:[^'\\]|\\[\s\S])*(?:'|$)|"[^"]*(?:"|$)|[^\s'",;)]+)/gi;
const uriPassword = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s:@/]*):[^\s@/]+@/gi;
const scramVerifier = /SCRAM-SHA-256\$[^\s'"]*/g;
const md5Verifier = /\bmd5[0-9a-f]{32}\b/gi;
/** PostgreSQL shows the word that it did not expect, which may be the password. */
const unexpectedLiteral = /(at or near ")(?:[EBXN]|U&)?['$][\s\S]*?(?:"|$)/gi;

/**
 * Takes secrets out of what a service has logged: everything that has the form of one, and, whatever their form, the
 * ones that are known.
 */
export function redact(message: string, secrets: readonly string[] = []): string {
  let text = message;
  for (const secret of secrets) if (secret !== "") text = text.replaceAll(secret, redacted);
  text = text
    .replace(scramVerifier, redacted)
    .replace(md5Verifier, redacted)
    .replace(uriPassword, `$1:${redacted}@`)
    .replace(unexpectedLiteral, `$1${redacted}"`);
  if (roleStatement.test(text)) text = text.replace(anyLiteral, redacted);
  return text.replace(passwordLiteral, `$1${redacted}`).replace(passwordAssigned, `$1${redacted}`);
}
