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
import { ensureSecretFile } from "../state/key-file.ts";

/** The roles that tokens carry. */
export type TokenRole = "viewer" | "operator" | "admin";

const algorithm = "ES256";
/** Clocks are the same clock here; a second is for rounding. */
const clockToleranceSeconds = 1;

/** Signatures are costly to verify, and a caller sends the same token with every call. */
const rememberedMax = 1_000;

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
  /** Tokens that were good, with what they say; the oldest go first. */
  readonly #good = new Map<string, JWTPayload>();

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
    const file = await ensureSecretFile(options.keyFile, makeJwk);
    const jwk = JSON.parse(file.toString("utf8")) as Jwk;
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
    const known = this.#good.get(token);
    if (known !== undefined && !isOver(known)) return known;
    const payload = await this.#verify(token);
    this.#good.set(token, payload);
    const [oldest] = this.#good.keys();
    if (this.#good.size > rememberedMax && oldest !== undefined) this.#good.delete(oldest);
    return payload;
  }

  async #verify(token: string): Promise<JWTPayload> {
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

/** Its signature stays good; its time ends. */
const isOver = ({ exp = 0 }: JWTPayload): boolean => exp + clockToleranceSeconds <= Date.now() / 1000;

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

async function makeJwk(): Promise<Buffer> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  return Buffer.from(JSON.stringify(await exportJWK(privateKey)));
}
