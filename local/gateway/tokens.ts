import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import {
  type CryptoKey,
  errors,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWTPayload,
  jwtVerify,
  SignJWT,
} from "jose";

/** The roles that tokens carry. */
export type TokenRole = "viewer" | "operator" | "admin";

const algorithm = "ES256";
/** Clocks are the same clock here; a second is for rounding. */
const clockToleranceSeconds = 1;

/** Why a token is refused, in words for the one who sent it. */
export class TokenError extends Error {
  override readonly name = "TokenError";
}

/** The environment's own issuer of tokens: what an identity provider is on AWS. */
export class Tokens {
  readonly #privateKey: CryptoKey;
  readonly #publicKey: CryptoKey;
  readonly #issuer: string;
  readonly #audience: readonly string[];

  private constructor(
    keys: { privateKey: CryptoKey; publicKey: CryptoKey },
    names: { issuer: string; audience: readonly string[] },
  ) {
    this.#privateKey = keys.privateKey;
    this.#publicKey = keys.publicKey;
    this.#issuer = names.issuer;
    this.#audience = names.audience;
  }

  /** @param options.keyFile only root reads it; made at the first call. */
  static async open(options: {
    keyFile: string;
    issuer: string;
    audience: readonly string[];
  }): Promise<Tokens> {
    const jwk = readJwk(options.keyFile) ?? (await makeJwk(options.keyFile));
    const { d: _private, ...publicJwk } = jwk;
    const privateKey = await importJWK(jwk, algorithm);
    const publicKey = await importJWK(publicJwk, algorithm);
    if (privateKey instanceof Uint8Array || publicKey instanceof Uint8Array) {
      throw new Error(`${options.keyFile} does not hold an elliptic-curve key`);
    }
    return new Tokens({ privateKey, publicKey }, options);
  }

  async issueToken(claims: { subject: string; role: TokenRole; lifetimeSeconds: number }): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({ role: claims.role })
      .setProtectedHeader({ alg: algorithm, typ: "JWT" })
      .setSubject(claims.subject)
      .setIssuer(this.#issuer)
      .setAudience([...this.#audience])
      .setIssuedAt(now)
      .setExpirationTime(now + claims.lifetimeSeconds)
      .sign(this.#privateKey);
  }

  /** @throws {TokenError} that says what is wrong with it. */
  async verify(token: string): Promise<JWTPayload> {
    try {
      const { payload } = await jwtVerify(token, this.#publicKey, {
        issuer: this.#issuer,
        audience: [...this.#audience],
        algorithms: [algorithm],
        clockTolerance: clockToleranceSeconds,
        requiredClaims: ["sub", "exp"],
      });
      return payload;
    } catch (error) {
      throw new TokenError(describe(error), { cause: error });
    }
  }
}

function describe(error: unknown): string {
  if (error instanceof errors.JWTExpired) return "the token has expired";
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return "the token's signature is not one of this environment";
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    return `the token's claim "${error.claim}" is not the expected one`;
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return "the token is signed with another algorithm";
  return "the token is malformed: it is not a signed JSON web token";
}

type Jwk = Awaited<ReturnType<typeof exportJWK>>;

function readJwk(path: string): Jwk | null {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Jwk;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

/** Written in full before it gets its name: whoever comes second takes the first one's key. */
async function makeJwk(path: string): Promise<Jwk> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(await exportJWK(privateKey)), { mode: 0o600, flush: true });
  try {
    linkSync(draft, path);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  const jwk = readJwk(path);
  if (jwk === null) throw new Error(`the key file ${path} vanished while it was made`);
  return jwk;
}
