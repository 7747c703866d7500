import { webcrypto } from "node:crypto";
// x509 needs it loaded before itself.
import "reflect-metadata";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { certificateNames } from "../../domain/cluster/certificate-names.ts";

/** The CA of one cluster: it signs what its nodes show each other and to clients. */
export interface Authority {
  /** PKCS #8 PEM; in Parameter Store and nowhere else. */
  readonly privateKey: string;
  /** PEM, public. */
  readonly certificate: string;
}

/** Whom a node's certificate names. From our own records, never from the request. */
export interface CertificateSubject {
  readonly nodeId: string;
  /** Addresses of every node of the cluster: clients of one node are passed through to another. */
  readonly addresses: readonly string[];
}

const keyAlgorithm = { name: "ECDSA", namedCurve: "P-256" } as const;
const signingAlgorithm = { name: "ECDSA", hash: "SHA-256" } as const;
const dayMs = 24 * 60 * 60 * 1000;
/** A cluster's CA outlives the cluster's machines and PostgreSQL versions. */
const authorityDays = 3650;
/** Renewed long before it ends. */
const nodeCertificateDays = 365;
/** Clocks of nodes may be behind ours: valid from a little earlier. */
const clockSkewMs = 60 * 60 * 1000;
/** RFC 5280 allows 20 octets; 16 random ones do not collide. */
const serialBytes = 16;

/** Makes the CA's private key, as PEM. */
export async function newAuthorityKey(): Promise<string> {
  const pair = await webcrypto.subtle.generateKey(keyAlgorithm, true, ["sign", "verify"]);
  const pkcs8 = await webcrypto.subtle.exportKey("pkcs8", pair.privateKey);
  return pem(pkcs8, PemConverter.PrivateKeyTag);
}

/** The CA's certificate follows from its key but for its dates and number: a repetition makes one that is as good. */
export async function authorityCertificate(
  clusterId: string,
  privateKey: string,
  now: Date,
): Promise<string> {
  const keys = await keyPairOf(privateKey);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=pgherd ${clusterId}`,
    serialNumber: newSerial(),
    notBefore: new Date(now.getTime() - clockSkewMs),
    notAfter: new Date(now.getTime() + authorityDays * dayMs),
    signingAlgorithm,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return withNewline(certificate.toString("pem"));
}

/**
 * Signs a node's key. The request proves possession of the key; its subject and extensions are ignored.
 * @throws when the request's signature is not of the key that it carries
 */
export async function signNodeCertificate(
  authority: Authority,
  request: string,
  subject: CertificateSubject,
  now: Date,
): Promise<string> {
  const asked = new Pkcs10CertificateRequest(request);
  if (!(await asked.verify())) {
    throw new Error(`the certificate request of node ${subject.nodeId} is not signed with its own key`);
  }
  const names = certificateNames(subject.nodeId, subject.addresses);
  const issuer = new X509Certificate(authority.certificate);
  const { privateKey, publicKey } = await keyPairOf(authority.privateKey);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: `CN=${names.commonName}`,
    issuer: issuer.subject,
    notBefore: new Date(now.getTime() - clockSkewMs),
    notAfter: new Date(now.getTime() + nodeCertificateDays * dayMs),
    signingAlgorithm,
    publicKey: asked.publicKey,
    signingKey: privateKey,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension([
        ...names.ip.map((value) => ({ type: "ip", value }) as const),
        ...names.dns.map((value) => ({ type: "dns", value }) as const),
      ]),
      await SubjectKeyIdentifierExtension.create(asked.publicKey),
      await AuthorityKeyIdentifierExtension.create(publicKey),
    ],
  });
  return withNewline(certificate.toString("pem"));
}

async function keyPairOf(privateKey: string): Promise<webcrypto.CryptoKeyPair> {
  const der = PemConverter.decodeFirst(privateKey);
  const { subtle } = webcrypto;
  const signing = await subtle.importKey("pkcs8", der, keyAlgorithm, true, ["sign"]);
  const { kty, crv, x, y } = await subtle.exportKey("jwk", signing);
  const half = { kty, crv, x, y } as webcrypto.JsonWebKey;
  const verifying = await subtle.importKey("jwk", half, keyAlgorithm, true, ["verify"]);
  return { privateKey: signing, publicKey: verifying };
}

function newSerial(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(serialBytes));
  /** A serial number is positive: the first bit is its sign. */
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  return Buffer.from(bytes).toString("hex");
}

const pem = (der: ArrayBuffer, tag: string): string => withNewline(PemConverter.encode(der, tag));
const withNewline = (text: string): string => (text.endsWith("\n") ? text : `${text}\n`);
