import type { BackupStore } from "../domain/backup/store.ts";
import { StoreError } from "../ports/store-error.ts";
import { awsErrorCode } from "./errors.ts";

/** What a store of somebody else's answered, told apart by what its owner can do about it. */

const keyRefused = [
  "AccessDenied",
  "AccessForbidden",
  "ExpiredToken",
  "Forbidden",
  "InvalidAccessKeyId",
  "InvalidSecurity",
  "InvalidToken",
  "SignatureDoesNotMatch",
  "TokenRefreshRequired",
];
const noBucket = ["NoSuchBucket"];
const otherRegion = [
  "AuthorizationHeaderMalformed",
  "IllegalLocationConstraintException",
  "PermanentRedirect",
];

const certificateCode = /^(?:CERT_|ERR_TLS_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/;
/** What answers there does not speak TLS at all. */
const noTlsCode = /^(?:EPROTO|ERR_SSL_)/;
const networkCode = /^(?:E[A-Z_]+|UND_ERR_.*)$/;
const timeoutNames = ["TimeoutError", "AbortError"];

/** Of the connection, as Node.js has it; the SDK hands it on, or wraps it. */
function systemCode(error: unknown): string | null {
  for (let one: unknown = error; one instanceof Error; one = one.cause) {
    if ("code" in one && typeof one.code === "string") return one.code;
  }
  return null;
}

export function asStoreError(error: unknown, store: BackupStore): StoreError {
  if (error instanceof StoreError) return error;
  const { bucket, credentialsParameter, endpoint } = store;
  const told = (fault: StoreError["fault"], message: string) =>
    new StoreError(message, { fault, cause: error });
  const answer = awsErrorCode(error);
  if (answer !== null && noBucket.includes(answer)) {
    return told("bucket-unknown", `there is no bucket "${bucket}" at ${endpoint}: make it first`);
  }
  if (answer !== null && otherRegion.includes(answer)) {
    return told(
      "other-region",
      `${endpoint} answers ${answer}: bucket "${bucket}" is in another region than ${store.region}`,
    );
  }
  if (answer !== null && keyRefused.includes(answer)) {
    return told(
      "key-refused",
      `${endpoint} answers ${answer}: the key in ${credentialsParameter} must be one that may write, read, delete and list in bucket "${bucket}"`,
    );
  }
  const code = systemCode(error);
  if (code !== null && certificateCode.test(code)) {
    return told(
      "untrusted",
      `the certificate of ${endpoint} is not trusted (${code}): it must name that host and be signed by a public authority`,
    );
  }
  if (code !== null && noTlsCode.test(code)) {
    return told("untrusted", `${endpoint} does not speak TLS (${code}): backups travel over TLS alone`);
  }
  const isLate = error instanceof Error && timeoutNames.includes(error.name);
  if (isLate || (code !== null && networkCode.test(code))) {
    const why = code === null ? "it gives no answer in time" : code;
    return told(
      "unreachable",
      `${endpoint} cannot be reached (${why}): name, port and network must lead there`,
    );
  }
  return told("unfit", `${endpoint} does not answer as S3 does (${answer ?? code ?? nameOf(error)})`);
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : "no error");
