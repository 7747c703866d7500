import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AddTagsToResourceCommand,
  DeleteParametersCommand,
  DescribeInstanceInformationCommand,
  DescribeParametersCommand,
  GetCommandInvocationCommand,
  GetParameterCommand,
  GetParametersByPathCommand,
  type GetParametersByPathCommandOutput,
  GetParametersCommand,
  ListCommandsCommand,
  ListTagsForResourceCommand,
  PutParameterCommand,
  SendCommandCommand,
  SSMClient,
} from "@aws-sdk/client-ssm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SsmService } from "../../../local/endpoints/ssm/service.ts";
import { Documents } from "../../../local/state/documents.ts";
import { account, region, startEndpoints } from "./support/endpoints.ts";
import { ScriptMachines } from "./support/script-machines.ts";

const instanceId = "i-0123456789abcdef0";
const documentName = "pgherd-test-node";
const documentContent = {
  schemaVersion: "2.2",
  parameters: {
    Verb: { type: "String", interpolationType: "ENV_VAR", allowedPattern: "[a-z-]+" },
    Input: { type: "String", interpolationType: "ENV_VAR", allowedPattern: "[A-Za-z0-9+/=]*", default: "" },
    Timeout: { type: "String", interpolationType: "ENV_VAR", allowedPattern: "[0-9]+", default: "60" },
  },
  mainSteps: [
    {
      action: "aws:runShellScript",
      name: "run",
      inputs: {
        timeoutSeconds: "{{ Timeout }}",
        runCommand: [
          'case "$SSM_Verb" in',
          '  echo) printf "%s" "$SSM_Input" ;;',
          "  fail) echo no >&2; exit 3 ;;",
          "  sleep) exec sleep 30 ;;",
          "  flood) yes | head -c 50000; yes | head -c 50000 >&2 ;;",
          '  endpoint) printf "%s" "$AWS_ENDPOINT_URL" ;;',
          "esac",
        ],
      },
    },
  ],
};

let directory: string;
let documents: Documents;
let machines: ScriptMachines;
let service: SsmService;
let endpoints: Awaited<ReturnType<typeof startEndpoints>>;
let ssm: SSMClient;

function makeService(): SsmService {
  return new SsmService({
    documents,
    driver: machines,
    inventory: {
      listMachines: () => [{ instanceId, address: "198.18.0.9", hostname: "n", tags: { cluster: "a" } }],
    },
    vaultKey: Buffer.alloc(32, 9),
    region,
    account,
    machineEnvironment: { endpointUrl: "http://198.18.0.1:1", region, serviceEndpointUrls: {} },
  });
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "pgherd-ssm-"));
  documents = new Documents(join(directory, "state.db"));
  machines = new ScriptMachines();
  machines.running.add(instanceId);
  service = makeService();
  service.putDocument(documentName, documentContent);
  endpoints = await startEndpoints([service]);
  ssm = new SSMClient(endpoints.operator);
});

afterEach(async () => {
  ssm.destroy();
  await endpoints.close();
  documents.close();
  await rm(directory, { recursive: true });
});

async function run(verb: string, parameters: Record<string, string[]> = {}) {
  const sent = await ssm.send(
    new SendCommandCommand({
      DocumentName: documentName,
      InstanceIds: [instanceId],
      Parameters: { Verb: [verb], ...parameters },
    }),
  );
  const commandId = sent.Command?.CommandId ?? "";
  await service.settled();
  return ssm.send(new GetCommandInvocationCommand({ CommandId: commandId, InstanceId: instanceId }));
}

describe("Parameter Store", () => {
  const secret = { Name: "/pgherd/local/clu_1/admin", Value: "s3cret-value", Type: "SecureString" } as const;

  test("a SecureString comes back only with decryption, and is not readable in the state file", async () => {
    await ssm.send(new PutParameterCommand({ ...secret, KeyId: "alias/pgherd" }));
    const opened = await ssm.send(new GetParameterCommand({ Name: secret.Name, WithDecryption: true }));
    expect(opened.Parameter?.Value).toBe(secret.Value);
    const sealed = await ssm.send(new GetParameterCommand({ Name: secret.Name }));
    expect(sealed.Parameter?.Value).not.toContain(secret.Value);
    for (const file of ["state.db", "state.db-wal"]) {
      expect(readFileSync(join(directory, file)).includes(secret.Value)).toBe(false);
    }
  });

  test("a parameter that exists is replaced only with Overwrite", async () => {
    await ssm.send(new PutParameterCommand(secret));
    await expect(ssm.send(new PutParameterCommand({ ...secret, Value: "other" }))).rejects.toMatchObject({
      name: "ParameterAlreadyExists",
    });
    const second = await ssm.send(new PutParameterCommand({ ...secret, Value: "other", Overwrite: true }));
    expect(second.Version).toBe(2);
    const read = await ssm.send(new GetParameterCommand({ Name: secret.Name, WithDecryption: true }));
    expect(read.Parameter?.Value).toBe("other");
  });

  test("a value over the tier's limit is refused", async () => {
    const long = "x".repeat(4097);
    await expect(ssm.send(new PutParameterCommand({ ...secret, Value: long }))).rejects.toMatchObject({
      name: "ValidationException",
    });
    await ssm.send(new PutParameterCommand({ ...secret, Value: long, Tier: "Advanced" }));
  });

  test("a path lists its own level, or everything below it page by page", async () => {
    for (let i = 0; i < 12; i++) {
      await ssm.send(
        new PutParameterCommand({ Name: `/pgherd/local/clu_1/deep/${i}`, Value: "v", Type: "String" }),
      );
    }
    await ssm.send(new PutParameterCommand({ Name: "/pgherd/local/clu_1/top", Value: "v", Type: "String" }));
    await ssm.send(new PutParameterCommand({ Name: "/pgherd/local/clu_10/x", Value: "v", Type: "String" }));
    const flat = await ssm.send(new GetParametersByPathCommand({ Path: "/pgherd/local/clu_1" }));
    expect(flat.Parameters?.map((p) => p.Name)).toEqual(["/pgherd/local/clu_1/top"]);
    const names: string[] = [];
    let token: string | undefined;
    let pages = 0;
    do {
      const answer: GetParametersByPathCommandOutput = await ssm.send(
        new GetParametersByPathCommand({ Path: "/pgherd/local/clu_1", Recursive: true, NextToken: token }),
      );
      names.push(...(answer.Parameters ?? []).map((p) => p.Name ?? ""));
      token = answer.NextToken;
      pages += 1;
    } while (token !== undefined);
    expect(pages).toBe(2);
    expect(new Set(names).size).toBe(13);
  });

  test("unknown names are told apart from known ones in reads and deletes of many", async () => {
    await ssm.send(new PutParameterCommand(secret));
    const read = await ssm.send(new GetParametersCommand({ Names: [secret.Name, "/no"] }));
    expect(read.InvalidParameters).toEqual(["/no"]);
    const deleted = await ssm.send(new DeleteParametersCommand({ Names: [secret.Name, "/no"] }));
    expect(deleted).toMatchObject({ DeletedParameters: [secret.Name], InvalidParameters: ["/no"] });
    await expect(ssm.send(new GetParameterCommand({ Name: secret.Name }))).rejects.toMatchObject({
      name: "ParameterNotFound",
    });
  });

  test("tags are kept and can be filtered by", async () => {
    await ssm.send(new PutParameterCommand({ ...secret, Tags: [{ Key: "cluster", Value: "clu_1" }] }));
    await ssm.send(
      new AddTagsToResourceCommand({
        ResourceType: "Parameter",
        ResourceId: secret.Name,
        Tags: [{ Key: "a", Value: "b" }],
      }),
    );
    const tags = await ssm.send(
      new ListTagsForResourceCommand({ ResourceType: "Parameter", ResourceId: secret.Name }),
    );
    expect(tags.TagList).toEqual([
      { Key: "cluster", Value: "clu_1" },
      { Key: "a", Value: "b" },
    ]);
    const found = await ssm.send(
      new DescribeParametersCommand({ ParameterFilters: [{ Key: "tag:cluster", Values: ["clu_1"] }] }),
    );
    expect(found.Parameters?.map((p) => p.Name)).toEqual([secret.Name]);
  });

  test("a recorded call never holds the value that was put", async () => {
    await ssm.send(new PutParameterCommand(secret));
    const calls = endpoints.recorder.list({ service: "ssm", action: "PutParameter" });
    expect(calls).toHaveLength(1);
    expect(JSON.stringify(calls)).not.toContain(secret.Value);
    expect(calls[0]?.input).toMatchObject({ Name: secret.Name });
  });
});

describe("Run Command", () => {
  test("a command runs the document's script with its parameters in the environment", async () => {
    const done = await run("echo", { Input: ["aGVsbG8="] });
    expect(done).toMatchObject({ Status: "Success", StandardOutputContent: "aGVsbG8=", ResponseCode: 0 });
    expect(machines.executed.at(-1)?.argv.join(" ")).not.toContain("aGVsbG8=");
  });

  test("a script's exit code and error output are in the invocation", async () => {
    expect(await run("fail")).toMatchObject({
      Status: "Failed",
      ResponseCode: 3,
      StandardErrorContent: "no\n",
    });
  });

  test("a parameter that its pattern does not match is refused before anything runs", async () => {
    for (const parameters of [{ Verb: ["Rm;"] }, { Verb: ["echo"], Other: ["x"] }, {}]) {
      const sending = ssm.send(
        new SendCommandCommand({
          DocumentName: documentName,
          InstanceIds: [instanceId],
          Parameters: parameters as Record<string, string[]>,
        }),
      );
      await expect(sending).rejects.toMatchObject({ name: "InvalidParameters" });
    }
    expect(machines.executed).toEqual([]);
  });

  test("a document that pastes parameters into its script is refused", () => {
    const [step] = documentContent.mainSteps;
    const pasting = {
      ...documentContent,
      mainSteps: [{ ...step, inputs: { runCommand: ["echo {{ Verb }}"] } }],
    };
    expect(() => service.putDocument("bad", pasting)).toThrow(/braces/);
  });

  test("output is cut at 24,000 and 8,000 characters", async () => {
    const done = await run("flood");
    expect(done.StandardOutputContent).toHaveLength(24_000);
    expect(done.StandardErrorContent).toHaveLength(8_000);
  });

  test("a command that runs too long is timed out", async () => {
    expect(await run("sleep", { Timeout: ["1"] })).toMatchObject({ Status: "TimedOut" });
  });

  test("a machine that does not run is an invalid instance", async () => {
    machines.running.clear();
    await expect(run("echo")).rejects.toMatchObject({ name: "InvalidInstanceId" });
    const online = await ssm.send(new DescribeInstanceInformationCommand({}));
    expect(online.InstanceInformationList).toEqual([]);
  });

  test("a machine is told where AWS is before its first command, and is online then", async () => {
    const online = await ssm.send(
      new DescribeInstanceInformationCommand({ Filters: [{ Key: "InstanceIds", Values: [instanceId] }] }),
    );
    expect(online.InstanceInformationList?.[0]).toMatchObject({
      InstanceId: instanceId,
      PingStatus: "Online",
    });
    expect(machines.executed[0]?.stdin).toContain("AWS_ENDPOINT_URL=http://198.18.0.1:1\n");
    expect((await run("endpoint")).StandardOutputContent).toBe("http://198.18.0.1:1");
  });

  test("a command in flight when the control plane dies ends as undeliverable", async () => {
    const sent = await ssm.send(
      new SendCommandCommand({
        DocumentName: documentName,
        InstanceIds: [instanceId],
        Parameters: { Verb: ["sleep"], Timeout: ["2"] },
      }),
    );
    const next = makeService();
    next.recover();
    const answer = await next.call(
      "GetCommandInvocation",
      { CommandId: sent.Command?.CommandId, InstanceId: instanceId },
      { accessKeyId: "", arn: "", roleName: null },
    );
    expect(answer).toMatchObject({ Status: "Failed", StatusDetails: "Undeliverable" });
    await service.settled();
  });

  test("commands are listed with the parameters they were sent with", async () => {
    await run("echo", { Input: ["bm90LXNlY3JldA=="] });
    const list = await ssm.send(new ListCommandsCommand({}));
    expect(list.Commands?.[0]?.Parameters).toEqual({ Verb: ["echo"], Input: ["bm90LXNlY3JldA=="] });
    expect(list.Commands?.[0]?.Status).toBe("Success");
  });
});
