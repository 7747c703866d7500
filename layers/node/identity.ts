import { createPrivateKey, X509Certificate } from "node:crypto";
import { nodePaths } from "../domain/config/index.ts";
import { type NodeIntent, nodeIntentSchema } from "../domain/node/protocol.ts";
import { NodeFailure } from "./failure.ts";
import { readIfPresent } from "./files.ts";

/** What the node shows to others of its cluster, and what it believes them by; whichever services it has. */
export interface Identity {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export async function ownIdentity(): Promise<Identity> {
  const text = await readIfPresent(nodePaths.intent);
  if (text === null)
    throw new NodeFailure("the node has not been configured yet", { code: "not-configured" });
  const intent = nodeIntentSchema.parse(JSON.parse(text));
  return { ca: intent.authorityCertificate, cert: intent.nodeCertificate, key: await readKey(intent) };
}

/** The key that the certificate is for: the one in use, or the one that `renew-key` has made beside it. */
export async function readKey(intent: NodeIntent): Promise<string> {
  const keys = await Promise.all([nodePaths.key, nodePaths.nextKey].map(readIfPresent));
  if (keys[0] === null)
    throw new NodeFailure("the node has no key yet: prepare comes first", { code: "not-prepared" });
  const certificate = new X509Certificate(intent.nodeCertificate);
  const key = keys.find((one) => one !== null && certificate.checkPrivateKey(createPrivateKey(one))) ?? null;
  if (key === null) {
    throw new NodeFailure("the certificate is not for this node's key", { code: "certificate-mismatch" });
  }
  if (!authorities(intent).some((authority) => certificate.verify(authority.publicKey))) {
    throw new NodeFailure("the certificate is not signed by the cluster's authority", {
      code: "certificate-mismatch",
    });
  }
  return key;
}

function authorities(intent: NodeIntent): X509Certificate[] {
  const end = "-----END CERTIFICATE-----";
  const texts = intent.authorityCertificate.split(end).filter((text) => text.trim() !== "");
  return texts.map((text) => new X509Certificate(`${text.trimStart()}${end}\n`));
}
