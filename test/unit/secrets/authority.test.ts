import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import "reflect-metadata";
import { Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } from "@peculiar/x509";
import { expect, test } from "vitest";
import {
  type Authority,
  authorityCertificate,
  newAuthorityKey,
  newPassword,
  signNodeCertificate,
} from "../../../layers/runtime/secrets.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const now = new Date("2026-01-01T00:00:00Z");
const subject = { nodeId: "nod_01M7Y7ET7FNAHMB3PAQCCPY97P", addresses: ["198.18.0.4", "198.18.1.4"] };

async function newAuthority(): Promise<Authority> {
  const privateKey = await newAuthorityKey();
  return { privateKey, certificate: await authorityCertificate("clu_X", privateKey, now) };
}

async function newRequest(name = "CN=evil, O=someone else"): Promise<string> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const extensions = [new SubjectAlternativeNameExtension([{ type: "dns", value: "evil.example" }])];
  const request = await Pkcs10CertificateRequestGenerator.create({
    name,
    keys,
    signingAlgorithm: algorithm,
    extensions,
  });
  return request.toString("pem");
}

test("a CA is valid for ten years and may sign no further CA", async () => {
  const { certificate, privateKey } = await newAuthority();
  const read = new X509Certificate(certificate);
  expect(read.ca).toBe(true);
  expect(read.checkPrivateKey(createPrivateKey(privateKey))).toBe(true);
  expect(new Date(read.validTo).getTime() - now.getTime()).toBe(3650 * 24 * 60 * 60 * 1000);
});

test("a node's certificate names the node of our record, and nothing that the request says", async () => {
  const authority = await newAuthority();
  const read = new X509Certificate(await signNodeCertificate(authority, await newRequest(), subject, now));
  expect(read.subject).toBe(`CN=${subject.nodeId}`);
  const names = read.subjectAltName?.split(", ") ?? [];
  const addresses = ["127.0.0.1", ...subject.addresses].map((address) => `IP Address:${address}`);
  expect(names).toEqual(expect.arrayContaining([...addresses, "DNS:localhost", `DNS:${subject.nodeId}`]));
  expect(names.filter((name) => name.startsWith("IP"))).toHaveLength(addresses.length);
  expect(names.join()).not.toContain("evil");
  expect(read.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
  expect(read.ca).toBe(false);
  expect(read.checkIssued(new X509Certificate(authority.certificate))).toBe(true);
  expect(read.verify(new X509Certificate(authority.certificate).publicKey)).toBe(true);
});

test("a certificate of a CA that was made anew from the same key still vouches for its nodes", async () => {
  const authority = await newAuthority();
  const node = new X509Certificate(await signNodeCertificate(authority, await newRequest(), subject, now));
  const later = await authorityCertificate("clu_X", authority.privateKey, new Date("2026-01-02T00:00:00Z"));
  expect(node.verify(new X509Certificate(later).publicKey)).toBe(true);
});

test("a request that is not signed with its own key is refused", async () => {
  const request = await newRequest();
  const der = Buffer.from(request.replace(/-----[^-]+-----|\s/g, ""), "base64");
  der.writeUInt8((der.at(-1) ?? 0) ^ 1, der.length - 1);
  const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
  await expect(signNodeCertificate(await newAuthority(), forged, subject, now)).rejects.toThrow(/own key/);
});

test("a key that is not of the CA signs nothing that the CA's certificate vouches for", async () => {
  const authority = await newAuthority();
  const other = generateKeyPairSync("ec", { namedCurve: "P-256" });
  expect(new X509Certificate(authority.certificate).verify(other.publicKey)).toBe(false);
});

test("passwords are long, safe in a URL, and never the same", () => {
  const passwords = Array.from({ length: 100 }, newPassword);
  expect(new Set(passwords).size).toBe(100);
  for (const password of passwords) expect(password).toMatch(/^[A-Za-z0-9_-]{43}$/);
});
