import { createHash, createHmac, type Hash, type Hmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { SignatureV4 } from "@smithy/signature-v4";
import { z } from "zod";
import type { EnvironmentPaths } from "../environment/paths.ts";

/** One small answer of our own endpoint. */
const requestTimeoutMs = 10_000;

/** Hashing as the signer asks for it. */
class Sha256 {
  readonly #hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash("sha256") : createHmac("sha256", bytesOf(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === "string") return Buffer.from(data);
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}

const parameterSchema = z.object({ Parameter: z.object({ Value: z.string() }) });

/**
 * Reads a secret from Parameter Store as any AWS client does: with what `aws.env` says: the commands are a user of
 * the environment and no part of the product.
 */
export async function readParameter(paths: EnvironmentPaths, name: string): Promise<string> {
  const variables = parseVariables(await readFile(paths.awsVariables, "utf8"));
  const endpoint = new URL(variables["AWS_ENDPOINT_URL"] ?? "");
  const signer = new SignatureV4({
    service: "ssm",
    region: variables["AWS_REGION"] ?? "",
    credentials: {
      accessKeyId: variables["AWS_ACCESS_KEY_ID"] ?? "",
      secretAccessKey: variables["AWS_SECRET_ACCESS_KEY"] ?? "",
    },
    sha256: Sha256,
  });
  const request = await signer.sign({
    method: "POST",
    protocol: endpoint.protocol,
    hostname: endpoint.hostname,
    port: Number(endpoint.port),
    path: "/",
    query: {},
    headers: {
      host: endpoint.host,
      "content-type": "application/x-amz-json-1.1",
      "x-amz-target": "AmazonSSM.GetParameter",
    },
    body: JSON.stringify({ Name: name, WithDecryption: true }),
  });
  const response = await fetch(endpoint, {
    method: "POST",
    headers: request.headers,
    body: request.body as string,
    signal: AbortSignal.timeout(requestTimeoutMs),
  });
  if (!response.ok) throw new Error(`Parameter Store does not answer for ${name}: ${await response.text()}`);
  return parameterSchema.parse(await response.json()).Parameter.Value;
}

function parseVariables(text: string): Record<string, string> {
  const lines = text.split("\n").filter((line) => line.includes("="));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)] as const),
  );
}
