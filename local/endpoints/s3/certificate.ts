import { webcrypto } from "node:crypto";
// x509 needs it loaded before itself.
import "reflect-metadata";
import { isIP } from "node:net";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { ensureSecretFile } from "../../state/key-file.ts";

export interface ObjectCertificate {
  /** PEM. */
  readonly key: string;
  /** PEM; names one host. */
  readonly certificate: string;
  /** PEM of the CA that machines trust. */
  readonly authority: string;
}

/** Where clients find S3 in a region. */
export const objectsHost = (region: string): string => `s3.${region}.amazonaws.com`;

const keyAlgorithm = { name: "ECDSA", namedCurve: "P-256" } as const;
const signingAlgorithm = { name: "ECDSA", hash: "SHA-256" } as const;
const dayMs = 24 * 60 * 60 * 1000;
/** Longer than a local environment is kept. */
const validDays = 3650;

/** The certificate of the environment's S3. */
export const ensureObjectCertificate = (file: string, region: string): Promise<ObjectCertificate> =>
  ensureCertificate(file, objectsHost(region));

/**
 * A certificate for one host, made at the first call. The CA's key signs it and is then forgotten: nobody can sign
 * anything else that the machines would trust.
 */
export async function ensureCertificate(file: string, host: string): Promise<ObjectCertificate> {
  const text = (await ensureSecretFile(file, async () => Buffer.from(await issue(host)))).toString("utf8");
  const [key, certificate, authority] = text.match(/-----BEGIN [\s\S]+?-----END [^-]+-----\n/g) ?? [];
  if (key === undefined || certificate === undefined || authority === undefined)
    throw new Error(`${file} does not hold a key, its certificate and the certificate's authority`);
  return { key, certificate, authority };
}

async function issue(host: string): Promise<string> {
  const [authorityKeys, keys] = await Promise.all([newKeys(), newKeys()]);
  const notBefore = new Date(Date.now() - dayMs);
  const notAfter = new Date(Date.now() + validDays * dayMs);
  const authority = await X509CertificateGenerator.createSelfSigned({
    // No two have one name: OpenSSL looks a CA up by it.
    name: `CN=pgherd local environment: ${host}`,
    ...{ notBefore, notAfter, signingAlgorithm, keys: authorityKeys },
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
      await SubjectKeyIdentifierExtension.create(authorityKeys.publicKey),
    ],
  });
  const certificate = await X509CertificateGenerator.create({
    subject: `CN=${host}`,
    issuer: authority.subject,
    ...{ notBefore, notAfter, signingAlgorithm },
    publicKey: keys.publicKey,
    signingKey: authorityKeys.privateKey,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension([
        // An address is there as text too: pgBackRest looks for it among the names.
        { type: "dns", value: host },
        ...(isIP(host) === 0 ? [] : [{ type: "ip", value: host } as const]),
      ]),
    ],
  });
  const pkcs8 = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return [
    PemConverter.encode(pkcs8, PemConverter.PrivateKeyTag),
    certificate.toString("pem"),
    authority.toString("pem"),
  ]
    .map((pem) => `${pem.trimEnd()}\n`)
    .join("");
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(keyAlgorithm, true, ["sign", "verify"]);
}
