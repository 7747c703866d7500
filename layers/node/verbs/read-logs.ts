import { gzipSync } from "node:zlib";
import { redact } from "../../domain/log-redaction.ts";
import type { LogLine, LogPage } from "../../domain/logs.ts";
import type { VerbFunction } from "../context.ts";
import { readJournal } from "../journal-lines.ts";
import { readOwnIntent } from "../own-intent.ts";
import { readNodePasswords, textsOf } from "../passwords.ts";

/** SSM hands on 24,000 characters; the rest of the answer is some fifty. */
const pageCharactersMax = 22_000;
/** A line that is longer says nothing more to a reader. */
const messageCharactersMax = 4_000;
/** Each time that a page is too large, this share of it stays. */
const share = 0.7;

function clean(line: LogLine, secrets: readonly string[]): LogLine {
  const message = redact(line.message, secrets);
  return message.length <= messageCharactersMax
    ? { ...line, message }
    : { ...line, message: `${message.slice(0, messageCharactersMax)}…` };
}

/** As much as fits: of a page that goes on from somewhere its beginning, else its end. */
function pack(page: LogPage, isTail: boolean): string {
  let { lines, isMore } = page;
  for (;;) {
    const packed = gzipSync(JSON.stringify({ lines, isMore })).toString("base64");
    if (packed.length <= pageCharactersMax || lines.length <= 1) return packed;
    const count = Math.max(1, Math.floor(lines.length * share));
    isMore ||= !isTail;
    lines = isTail ? lines.slice(-count) : lines.slice(0, count);
  }
}

export const readLogs: VerbFunction<"read-logs"> = async (input, context) => {
  const intent = await readOwnIntent(input);
  const secrets = textsOf(await readNodePasswords(context, intent));
  const { lines, isMore } = await readJournal(input);
  const isTail = input.after === null && input.since === null;
  return { page: pack({ lines: lines.map((line) => clean(line, secrets)), isMore }, isTail) };
};
