import "reflect-metadata";
import { Pkcs10CertificateRequestGenerator } from "@peculiar/x509";

/** As a node makes it: P-256, signed with its own key. */
export async function certificateRequest(): Promise<string> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: "CN=whoever",
    keys,
    signingAlgorithm: algorithm,
  });
  return `${request.toString("pem")}\n`;
}
