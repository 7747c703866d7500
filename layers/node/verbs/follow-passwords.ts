import type { VerbFunction } from "../context.ts";
import { readKey } from "../identity.ts";
import { readOwnIntent } from "../own-intent.ts";
import { readNodePasswords } from "../passwords.ts";
import { applyIntent } from "./configure.ts";

export const followPasswords: VerbFunction<"follow-passwords"> = async (input, context) => {
  const intent = { ...(await readOwnIntent(input)), logins: input.logins };
  const [key, passwords] = await Promise.all([readKey(intent), readNodePasswords(context, intent)]);
  return applyIntent(intent, key, passwords);
};
