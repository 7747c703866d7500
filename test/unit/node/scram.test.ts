import { createHash, createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { saltOf, scramVerifier } from "../../../layers/node/scram.ts";

/** The exchange of RFC 7677, section 3. */
const nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const salt = "W22ZaJ0SNY7soEsUEjb6gQ==";
const exchange = `n=user,r=rOprNGfwEbeRWgbNEkqO,r=${nonce},s=${salt},i=4096,c=biws,r=${nonce}`;
const clientProof = Buffer.from("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "base64");
const serverSignature = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

function parts(verifier: string): { storedKey: Buffer; serverKey: Buffer } {
  const match = /^SCRAM-SHA-256\$4096:([^$]+)\$([^:]+):(.+)$/.exec(verifier);
  expect(match?.[1]).toBe(salt);
  return {
    storedKey: Buffer.from(match?.[2] ?? "", "base64"),
    serverKey: Buffer.from(match?.[3] ?? "", "base64"),
  };
}

test("the verifier of RFC 7677's password accepts the RFC's proof and signs as its server does", async () => {
  const { storedKey, serverKey } = parts(await scramVerifier("pencil", Buffer.from(salt, "base64")));
  const signature = createHmac("sha256", storedKey).update(exchange).digest();
  const clientKey = Buffer.from(clientProof.map((byte, index) => byte ^ (signature[index] ?? 0)));
  expect(createHash("sha256").update(clientKey).digest("hex")).toBe(storedKey.toString("hex"));
  expect(createHmac("sha256", serverKey).update(exchange).digest("base64")).toBe(serverSignature);
});

test("a salt is the same on every node, and another for every user and cluster", () => {
  expect(saltOf("clu_a", "admin").equals(saltOf("clu_a", "admin"))).toBe(true);
  const salts = [saltOf("clu_a", "admin"), saltOf("clu_a", "client"), saltOf("clu_b", "admin")];
  expect(new Set(salts.map((one) => one.toString("hex"))).size).toBe(3);
  expect(salts[0]).toHaveLength(16);
});
