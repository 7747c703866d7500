import { randomBytes } from "node:crypto";

/** 32 bytes are 43 characters in base64url: more than anyone can guess, and nothing that a URL or a file must quote. */
const passwordBytes = 32;

export function newPassword(): string {
  return randomBytes(passwordBytes).toString("base64url");
}
