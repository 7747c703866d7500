import { createHmac, createSecretKey, type KeyObject, randomBytes, timingSafeEqual } from "node:crypto";
import { type Caller, ServiceError } from "./service.ts";

/** What an AWS client needs to sign requests. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Null for the operator, who is a user and not a role session. */
  readonly sessionToken: string | null;
  readonly expiresAt: Date | null;
}

export interface SessionRequest {
  readonly roleName: string;
  /** Function name or instance id: the last part of the session's ARN. */
  readonly sessionName: string;
  readonly lifetimeSeconds: number;
}

interface SessionClaims {
  readonly accessKeyId: string;
  readonly roleName: string;
  readonly sessionName: string;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

/** As AWS names keys: AKIA for users, ASIA for sessions, 20 characters in all. */
const keyIdAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const keyIdBodyLength = 16;

/**
 * The local IAM: who an access key belongs to. Everything derives from one key (a 0600 file of the state directory):
 * secrets are HMACs of key ids and session tokens are sealed claims, so credentials outlive a restart of the
 * control plane without being stored anywhere.
 */
export class Identities {
  readonly #key: KeyObject;
  readonly #account: string;
  /** Derived once: every request of the operator asks for it. */
  readonly #operator: Credentials;

  constructor(options: { key: Buffer; account: string }) {
    this.#key = createSecretKey(options.key);
    this.#account = options.account;
    const accessKeyId = `AKIA${encodeKeyId(this.#mac("operator"))}`;
    const secretAccessKey = this.#secretOf(accessKeyId);
    this.#operator = { accessKeyId, secretAccessKey, sessionToken: null, expiresAt: null };
  }

  /** The person at the machine: same key in every call, never expires. */
  operator(): Credentials {
    return this.#operator;
  }

  /** Bearer token of the server's own administration paths. */
  adminToken(): string {
    return this.#mac("admin-token").toString("base64url");
  }

  /** Credentials of a role session. */
  issue(session: SessionRequest): Credentials {
    const accessKeyId = `ASIA${encodeKeyId(randomBytes(keyIdBodyLength))}`;
    const expiresAt = Date.now() + session.lifetimeSeconds * 1000;
    const claims: SessionClaims = {
      accessKeyId,
      roleName: session.roleName,
      sessionName: session.sessionName,
      expiresAt,
    };
    const body = Buffer.from(JSON.stringify(claims)).toString("base64url");
    return {
      accessKeyId,
      secretAccessKey: this.#secretOf(accessKeyId),
      sessionToken: `${body}.${this.#mac(`token:${body}`).toString("base64url")}`,
      expiresAt: new Date(expiresAt),
    };
  }

  /**
   * Whose key this is and the secret it signs with.
   * @throws {ServiceError} as AWS answers unknown, expired or mismatched credentials.
   */
  resolve(accessKeyId: string, sessionToken: string | null): { caller: Caller; secretAccessKey: string } {
    if (sessionToken === null) {
      const { secretAccessKey } = this.#operator;
      if (accessKeyId !== this.#operator.accessKeyId) throw unknownKey();
      const arn = `arn:aws:iam::${this.#account}:user/operator`;
      return { caller: { accessKeyId, arn, roleName: null }, secretAccessKey };
    }
    const secretAccessKey = this.#secretOf(accessKeyId);
    const claims = this.#open(sessionToken);
    if (claims === null || claims.accessKeyId !== accessKeyId) throw unknownKey();
    if (claims.expiresAt <= Date.now()) {
      throw new ServiceError(
        "ExpiredTokenException",
        "The security token included in the request is expired",
        403,
      );
    }
    const arn = `arn:aws:sts::${this.#account}:assumed-role/${claims.roleName}/${claims.sessionName}`;
    return { caller: { accessKeyId, arn, roleName: claims.roleName }, secretAccessKey };
  }

  #open(sessionToken: string): SessionClaims | null {
    const [body, mac, ...rest] = sessionToken.split(".");
    if (body === undefined || mac === undefined || rest.length > 0) return null;
    const expected = this.#mac(`token:${body}`);
    const given = Buffer.from(mac, "base64url");
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
    return JSON.parse(Buffer.from(body, "base64url").toString("utf8")) as SessionClaims;
  }

  #secretOf(accessKeyId: string): string {
    return this.#mac(`secret:${accessKeyId}`).toString("base64url").slice(0, 40);
  }

  #mac(text: string): Buffer {
    return createHmac("sha256", this.#key).update(text).digest();
  }
}

function encodeKeyId(bytes: Buffer): string {
  return Array.from(bytes.subarray(0, keyIdBodyLength), (byte) => keyIdAlphabet[byte & 31]).join("");
}

function unknownKey(): ServiceError {
  return new ServiceError(
    "UnrecognizedClientException",
    "The security token included in the request is invalid.",
    403,
  );
}
