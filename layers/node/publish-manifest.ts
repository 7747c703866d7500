import { readFile } from "node:fs/promises";
import { z } from "zod";
import { publishParameter } from "../aws/node-parameter.ts";
import { imageManifest } from "../domain/node/image-manifest.ts";

/**
 * Says in Parameter Store what is in a node image, on a machine that was started from it and found good:
 *
 *     AWS_REGION=… node publish-manifest.cjs PARAMETER MANIFEST RECIPE…
 */
const metadata = "http://169.254.169.254/latest";
const metadataTimeoutMs = 5_000;

async function ownImage(): Promise<string> {
  const token = await ask("api/token", "PUT", { "X-aws-ec2-metadata-token-ttl-seconds": "60" });
  return ask("meta-data/ami-id", "GET", { "X-aws-ec2-metadata-token": token });
}

async function ask(path: string, method: string, headers: Record<string, string>): Promise<string> {
  const signal = AbortSignal.timeout(metadataTimeoutMs);
  const answer = await fetch(`${metadata}/${path}`, { method, headers, signal });
  if (!answer.ok) throw new Error(`instance metadata answered ${answer.status} to ${path}`);
  return answer.text();
}

async function main([parameter, manifest, ...recipes]: readonly string[]): Promise<void> {
  if (parameter === undefined || manifest === undefined || recipes.length === 0) {
    throw new Error("publish-manifest.cjs PARAMETER MANIFEST RECIPE…");
  }
  const installed = z.record(z.string(), z.string()).parse(JSON.parse(await readFile(manifest, "utf8")));
  const value = imageManifest({
    image: await ownImage(),
    installed,
    recipes: await Promise.all(recipes.map((recipe) => readFile(recipe, "utf8"))),
  });
  await publishParameter(parameter, value);
  process.stdout.write(`${parameter}: ${value}\n`);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
