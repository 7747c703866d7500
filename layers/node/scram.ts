import { createHash, createHmac, pbkdf2 } from "node:crypto";
import { promisify } from "node:util";

/** PostgreSQL's own default (scram_iterations). */
const iterations = 4096;
const hashBytes = 32;
const saltBytes = 16;

const derive = promisify(pbkdf2);

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

/**
 * What PostgreSQL keeps of a password (RFC 5802, `rolpassword`): the password itself never reaches SQL or a log.
 * Passwords are ASCII, so SASLprep would leave them as they are.
 */
export async function scramVerifier(password: string, salt: Buffer): Promise<string> {
  const salted = await derive(password, salt, iterations, hashBytes, "sha256");
  const storedKey = createHash("sha256").update(hmac(salted, "Client Key")).digest("base64");
  const serverKey = hmac(salted, "Server Key").toString("base64");
  return `SCRAM-SHA-256$${iterations}:${salt.toString("base64")}$${storedKey}:${serverKey}`;
}

/**
 * One salt per cluster and user, the same on every node: PgBouncer can pass a login on only if it holds the same
 * verifier as PostgreSQL. A salt is no secret; it keeps equal passwords from looking equal.
 */
export function saltOf(clusterId: string, user: string): Buffer {
  return createHash("sha256").update(`pgherd/${clusterId}/${user}`).digest().subarray(0, saltBytes);
}
