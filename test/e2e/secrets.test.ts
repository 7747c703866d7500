import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DynamoDBClient, ListTablesCommand, ScanCommand } from "@aws-sdk/client-dynamodb";
import {
  GetParametersByPathCommand,
  ListCommandInvocationsCommand,
  ListCommandsCommand,
} from "@aws-sdk/client-ssm";
import { type Cluster, parameterPath } from "@pgherd/layers/domain";
import { beforeAll, describe, expect, test } from "vitest";
import { awsSettings, ssmClient } from "./support/aws.ts";
import { onMachine, processesAt } from "./support/machines.ts";
import { api, environment } from "./support/world.ts";

/** A needle that is found in every haystack proves that the search looks at the right place. */
interface Haystack {
  readonly where: string;
  readonly text: string;
}

describe("a secret of a live cluster is in Parameter Store and on its nodes, and nowhere else", () => {
  let cluster: Cluster;
  let secrets: { name: string; value: string }[];

  beforeAll(async () => {
    cluster = await api.demo();
    secrets = [...(await parameters()), ...(await privateKeys())];
    expect(secrets.length).toBeGreaterThanOrEqual(8);
  });

  async function parameters(): Promise<{ name: string; value: string }[]> {
    const ssm = await ssmClient(environment);
    const answer = await ssm.send(
      new GetParametersByPathCommand({
        Path: parameterPath("local", cluster.id),
        Recursive: true,
        WithDecryption: true,
      }),
    );
    ssm.destroy();
    return (answer.Parameters ?? []).map((parameter) => ({
      name: parameter.Name ?? "",
      value: needle(parameter.Value ?? ""),
    }));
  }

  /** The private keys of the nodes, as they lie on their volumes. */
  async function privateKeys(): Promise<{ name: string; value: string }[]> {
    const keys: { name: string; value: string }[] = [];
    for (const node of cluster.nodes) {
      const address = node.address ?? "";
      const files = await onMachine(address, [
        "grep",
        "-rlE",
        "PRIVATE KEY",
        "/etc",
        "/var/lib/pgherd",
      ]).catch((error: { stdout?: string }) => error.stdout ?? "");
      for (const file of files.split("\n").filter((line) => line !== "")) {
        if (/ssl-cert-snakeoil|\.cjs(\.|$)|\/usr\/|\/share\//.test(file)) continue;
        const value = needle(await onMachine(address, ["cat", file]));
        if (value !== "") keys.push({ name: `${node.id}:${file}`, value });
      }
    }
    expect(keys.length).toBeGreaterThanOrEqual(cluster.nodes.length);
    return keys;
  }

  /** Of a key, a line of its body: it may be written with other line breaks elsewhere. */
  function needle(value: string): string {
    const body = /PRIVATE KEY-----\n([A-Za-z0-9+/=]+)\n/.exec(value)?.[1];
    return body ?? value.trim();
  }

  function expectNoneIn(haystacks: readonly Haystack[], provenBy: string): void {
    expect(haystacks.some(({ text }) => text.includes(provenBy))).toBe(true);
    const found = haystacks.flatMap(({ where, text }) =>
      secrets.filter(({ value }) => text.includes(value)).map(({ name }) => `${name} in ${where}`),
    );
    expect(found).toEqual([]);
  }

  test("not in commands and their outputs", async () => {
    const ssm = await ssmClient(environment);
    const haystacks: Haystack[] = [];
    let NextToken: string | undefined;
    do {
      const answer = await ssm.send(
        new ListCommandsCommand({ MaxResults: 50, ...(NextToken && { NextToken }) }),
      );
      for (const command of answer.Commands ?? []) {
        haystacks.push({ where: `command ${command.CommandId}`, text: JSON.stringify(command) });
        haystacks.push({ where: `input of ${command.CommandId}`, text: decoded(command.Parameters) });
      }
      NextToken = answer.NextToken;
    } while (NextToken !== undefined);
    const invocations = await ssm.send(new ListCommandInvocationsCommand({ Details: true }));
    for (const invocation of invocations.CommandInvocations ?? [])
      haystacks.push({ where: `output of ${invocation.CommandId}`, text: JSON.stringify(invocation) });
    ssm.destroy();
    expectNoneIn(haystacks, cluster.id);
  });

  /** Command input travels as base64: what is in it must be searched, too. */
  function decoded(parameterValues: Record<string, string[]> | undefined): string {
    return Object.values(parameterValues ?? {})
      .flat()
      .map((value) => Buffer.from(value, "base64").toString("utf8"))
      .join("\n");
  }

  test("not in arguments or environments of any process of the nodes and the control plane", async () => {
    const pids = new Set(Object.values((await environment.file()).pids));
    for (const node of cluster.nodes)
      for (const { pid } of await processesAt(node.address ?? "")) pids.add(pid);
    const haystacks: Haystack[] = [];
    for (const pid of pids)
      for (const file of ["cmdline", "environ"]) {
        const text = await readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "");
        haystacks.push({ where: `/proc/${pid}/${file}`, text });
      }
    expectNoneIn(haystacks, "patroni");
  });

  test("not in the journals of the nodes", async () => {
    const haystacks: Haystack[] = [];
    for (const node of cluster.nodes) {
      const text = await onMachine(node.address ?? "", ["journalctl", "--no-pager", "-o", "cat"]);
      haystacks.push({ where: `journal of ${node.id}`, text });
    }
    expectNoneIn(haystacks, "PostgreSQL");
  });

  test("not in DynamoDB", async () => {
    const client = new DynamoDBClient(await awsSettings(environment, "DYNAMODB"));
    const haystacks: Haystack[] = [];
    for (const TableName of (await client.send(new ListTablesCommand({}))).TableNames ?? []) {
      const { Items } = await client.send(new ScanCommand({ TableName }));
      haystacks.push({ where: `table ${TableName}`, text: JSON.stringify(Items) });
    }
    client.destroy();
    expectNoneIn(haystacks, cluster.id);
  });

  test("not in answers of the API", async () => {
    const haystacks: Haystack[] = [];
    for (const path of [
      "/v1/clusters",
      `/v1/clusters/${cluster.id}`,
      `/v1/clusters/${cluster.id}/topology`,
      `/v1/clusters/${cluster.id}/connection`,
      `/v1/clusters/${cluster.id}/events`,
      "/v1/operations",
      "/openapi.json",
    ]) {
      const answer = await api.get(path);
      haystacks.push({
        where: path,
        text: JSON.stringify(answer.body) + JSON.stringify([...answer.headers]),
      });
    }
    expectNoneIn(haystacks, cluster.id);
  });

  test("not in any file of the state directory outside the machines and their volumes", async () => {
    const haystacks: Haystack[] = [];
    for (const entry of await readdir(environment.stateDirectory, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      const inside = path.slice(environment.stateDirectory.length + 1);
      if (!entry.isFile() || /^(machines|volumes)\//.test(inside) || /passfile|pgpass/.test(inside)) continue;
      haystacks.push({ where: inside, text: await readFile(path, "latin1") });
    }
    expectNoneIn(haystacks, cluster.id);
  });
});
