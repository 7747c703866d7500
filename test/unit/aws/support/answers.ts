import { glob, readFile } from "node:fs/promises";
import path from "node:path";
import { EC2Client } from "@aws-sdk/client-ec2";
import { IAMClient } from "@aws-sdk/client-iam";
import { LambdaClient } from "@aws-sdk/client-lambda";
import { S3Client } from "@aws-sdk/client-s3";
import { SchedulerClient } from "@aws-sdk/client-scheduler";
import { SSMClient } from "@aws-sdk/client-ssm";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { vi } from "vitest";

const layers = path.join(import.meta.dirname, "../../../../layers");
/** How a file of the product calls AWS: by a command, or by a list of pages of one. */
const callPattern = /\bnew (\w+)Command\(|\bpaginate(\w+)\(/g;

/** Every operation of AWS that the product calls, as its code has them. */
export async function operationsOfProduct(): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for await (const file of glob("**/*.ts", { cwd: layers })) {
    const code = await readFile(path.join(layers, file), "utf8");
    if (!code.includes('"@aws-sdk/')) continue;
    for (const [, command, pages] of code.matchAll(callPattern)) found.add(command ?? pages ?? "");
  }
  return found;
}

/** Operation → the fields of its answers, each as its path and what it is: `Volumes[].Size number`. */
export type Shapes = Map<string, Set<string>>;

/** Hears of every call of the SDK's clients from now on. */
export class AnswerRecord {
  readonly #sends = [
    vi.spyOn(DynamoDBDocumentClient.prototype, "send"),
    vi.spyOn(EC2Client.prototype, "send"),
    vi.spyOn(IAMClient.prototype, "send"),
    vi.spyOn(LambdaClient.prototype, "send"),
    vi.spyOn(S3Client.prototype, "send"),
    vi.spyOn(SchedulerClient.prototype, "send"),
    vi.spyOn(SSMClient.prototype, "send"),
  ];

  /** Adds what was answered since the last time, or since the test began: the runner forgets calls between tests. */
  collect(shapes: Shapes): void {
    for (const send of this.#sends) {
      send.mock.calls.forEach(([command], index) => {
        const settled = send.mock.settledResults[index];
        if (settled?.type !== "fulfilled") return;
        const operation = command.constructor.name.replace(/Command$/, "");
        const fields = shapes.get(operation) ?? new Set();
        for (const field of fieldsOf(settled.value)) fields.add(field);
        shapes.set(operation, fields);
      });
      send.mockClear();
    }
  }
}

/** What the SDK adds to an answer. */
const added = "$metadata";

function fieldsOf(value: unknown, at = ""): string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((item) => fieldsOf(item, `${at}[]`));
  if (typeof value !== "object") return [`${at} ${typeof value}`];
  if (Object.getPrototypeOf(value) !== Object.prototype) return [`${at} ${value.constructor.name}`];
  return Object.entries(value)
    .filter(([name]) => name !== added)
    .flatMap(([name, field]) => fieldsOf(field, at === "" ? name : `${at}.${name}`));
}
