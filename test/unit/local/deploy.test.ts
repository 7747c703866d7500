import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { SynthesizedStack } from "../../../infra/build/synth.ts";
import { deploy } from "../../../local/deploy/deploy.ts";
import { resolve, type Scope } from "../../../local/deploy/intrinsics.ts";
import type { DeployTargets } from "../../../local/deploy/targets.ts";
import { inOrder, type Resource } from "../../../local/deploy/template.ts";
import { FunctionRegistry } from "../../../local/lambda/functions.ts";
import { Documents } from "../../../local/state/documents.ts";

const scope: Scope = {
  account: "000000000000",
  region: "local-1",
  stackName: "stack",
  zones: ["local-1a", "local-1b"],
  resources: new Map([["Table", { ref: "the-table", attributes: { Arn: "arn:table" } }]]),
  exports: new Map([["data:Key", "key-1"]]),
};

describe("intrinsic functions", () => {
  test.each([
    [{ Ref: "Table" }, "the-table"],
    [{ Ref: "AWS::Region" }, "local-1"],
    [{ "Fn::GetAtt": ["Table", "Arn"] }, "arn:table"],
    [{ "Fn::GetAtt": "Table.Arn" }, "arn:table"],
    [{ "Fn::Join": ["-", ["a", { Ref: "Table" }]] }, "a-the-table"],
    [
      { "Fn::Sub": "${Table}/${Table.Arn}/${AWS::AccountId}/${!literal}" },
      "the-table/arn:table/000000000000/${literal}",
    ],
    [{ "Fn::Sub": ["${own}", { own: { Ref: "Table" } }] }, "the-table"],
    [{ "Fn::Select": [1, { "Fn::GetAZs": "" }] }, "local-1b"],
    [{ "Fn::Select": ["0", { "Fn::Split": ["/", "a/b"] }] }, "a"],
    [{ "Fn::ImportValue": "data:Key" }, "key-1"],
    [{ plain: [{ Ref: "Table" }, 1, null] }, { plain: ["the-table", 1, null] }],
  ])("%j is resolved", (value, expected) => {
    expect(resolve(value, scope)).toEqual(expected);
  });

  test.each([
    [{ "Fn::Base64": "x" }, "Fn::Base64"],
    [{ Ref: "Nobody" }, "Nobody"],
    [{ "Fn::GetAtt": ["Table", "StreamArn"] }, "Table.StreamArn"],
    [{ "Fn::ImportValue": "data:Other" }, "data:Other"],
    [{ "Fn::Select": [2, { "Fn::GetAZs": "" }] }, "[2,"],
    [{ "Fn::If": ["Large", 1, 2] }, "Fn::If"],
  ])("%j fails and is named", (value, name) => {
    expect(() => resolve(value, scope)).toThrow(name);
  });
});

describe("order", () => {
  const resource = (properties: Record<string, unknown>, dependsOn: string[] = []): Resource => ({
    Type: "T",
    Properties: properties,
    DependsOn: dependsOn,
  });

  test("everything comes after what it refers to", () => {
    const order = inOrder({
      route: resource({ target: { "Fn::Join": ["/", ["integrations", { Ref: "integration" }]] } }),
      integration: resource({ uri: { "Fn::GetAtt": ["code", "Arn"] } }, ["role"]),
      code: resource({ text: { "Fn::Sub": "${role.Arn}" } }),
      role: resource({}),
    });
    expect(order).toEqual(["role", "code", "integration", "route"]);
  });

  test("a circle is named", () => {
    expect(() => inOrder({ a: resource({ x: { Ref: "b" } }), b: resource({ x: { Ref: "a" } }) })).toThrow(
      "a → b → a",
    );
  });
});

describe("deployment", () => {
  let directory: string;
  let documents: Documents;
  let registry: FunctionRegistry;
  let calls: string[];
  let targets: DeployTargets;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "pgherd-deploy-"));
    documents = new Documents(":memory:");
    registry = new FunctionRegistry(documents);
    calls = [];
    const unused = () => {
      throw new Error("not part of this template");
    };
    targets = {
      documents,
      ec2: {
        ensureVpc: unused,
        ensureSubnet: unused,
        ensureSecurityGroup: unused,
        ensureLaunchTemplate: unused,
      },
      ssm: {
        putDocument: (name) => calls.push(`put document ${name}`),
        deleteDocument: (name) => calls.push(`delete document ${name}`),
      },
      lambda: {
        createFunction: (configuration) => {
          registry.put(configuration);
          return `arn:aws:lambda:local-1:000000000000:function:${configuration.functionName}`;
        },
        publishVersion: (name) => registry.publish(name),
        createAlias: (name, alias, version) => {
          registry.putAlias(name, alias, version);
          return `arn:${name}:${alias}`;
        },
        // As the service: a function that is not there cannot be deleted.
        deleteFunction: (name) => {
          registry.versionsOf(name);
          registry.delete(name);
        },
        listFunctions: () => registry.list(),
      },
      scheduler: {
        ensureGroup: (name) => {
          calls.push(`ensure group ${name}`);
          return `arn:${name}`;
        },
        deleteGroup: (name) => calls.push(`delete group ${name}`),
        letAssume: (role) => calls.push(`let assume ${role}`),
      },
      objects: {
        ensureBucket: async (bucket) => void calls.push(`ensure bucket ${bucket}`),
        has: async (_bucket, key) => calls.includes(`put ${key}`),
        putFile: async (_bucket, key) => void calls.push(`put ${key}`),
      },
      tables: { ensureTable: unused, deleteTable: unused },
      region: "local-1",
      account: "000000000000",
      zones: ["local-1a"],
      assetDirectory: join(directory, "assets"),
    };
  });

  afterEach(async () => {
    documents.close();
    await rm(directory, { recursive: true, force: true });
  });

  /** A stage of one stack, as synthesis leaves it. */
  async function stage(resources: Record<string, unknown>, code = "v1"): Promise<SynthesizedStack[]> {
    const template = join(directory, "stack.template.json");
    await writeFile(template, JSON.stringify({ Resources: resources }));
    const source = join(directory, `code-${code}`);
    await mkdir(source, { recursive: true });
    await writeFile(join(source, "index.mjs"), code);
    const asset = { bucket: "assets", key: `${code}.zip`, source, packaging: "zip" as const };
    return [{ name: "stack", template, assets: [asset] }];
  }

  const workflow = (code: string, versionId: string) => ({
    Role: { Type: "AWS::IAM::Role", Properties: { RoleName: "role" } },
    Code: {
      Type: "AWS::Lambda::Function",
      Properties: {
        FunctionName: "workflow",
        Handler: "index.handler",
        Role: { "Fn::GetAtt": ["Role", "Arn"] },
        Code: { S3Bucket: "assets", S3Key: `${code}.zip` },
        DurableConfig: { ExecutionTimeout: 60 },
      },
    },
    [versionId]: {
      Type: "AWS::Lambda::Version",
      DeletionPolicy: "Retain",
      Properties: { FunctionName: { Ref: "Code" } },
    },
    Alias: {
      Type: "AWS::Lambda::Alias",
      Properties: {
        FunctionName: { Ref: "Code" },
        Name: "live",
        FunctionVersion: { "Fn::GetAtt": [versionId, "Version"] },
      },
    },
  });

  test("a type that is not known fails with its name before anything is made", async () => {
    const stacks = await stage({
      ...workflow("v1", "Version1"),
      Odd: { Type: "AWS::Braket::QuantumTask", Properties: {} },
    });

    await expect(deploy(stacks, targets)).rejects.toThrow("Odd of the type AWS::Braket::QuantumTask");
    expect(calls).toEqual([]);
  });

  test("a function is there with its role, its code and an alias on its version", async () => {
    await deploy(await stage(workflow("v1", "Version1")), targets);

    const { configuration, version } = registry.resolve("workflow:live", null);
    expect(version).toBe("1");
    expect(configuration.roleName).toBe("role");
    expect(configuration.durable?.executionTimeoutSeconds).toBe(60);
    expect(await readFile(join(configuration.codeDirectory, "index.mjs"), "utf8")).toBe("v1");
  });

  test("deployed again without a change, nothing changes", async () => {
    const first = await deploy(await stage(workflow("v1", "Version1")), targets);
    const second = await deploy(await stage(workflow("v1", "Version1")), targets);

    expect(first.changed).toContain("stack/Code");
    expect(second.changed).toEqual([]);
    expect(registry.versionsOf("workflow")).toEqual(["1"]);
  });

  test("other code makes another version; the old one keeps its code after its stage is gone", async () => {
    const first = await stage(workflow("v1", "Version1"));
    await deploy(first, targets);
    await rm(first[0]?.assets[0]?.source ?? "", { recursive: true });
    await deploy(await stage(workflow("v2", "Version2"), "v2"), targets);

    expect(registry.resolve("workflow:live", null).version).toBe("2");
    const old = registry.resolve("workflow", "1").configuration;
    expect(await readFile(join(old.codeDirectory, "index.mjs"), "utf8")).toBe("v1");
  });

  test("code whose copy was interrupted is copied anew", async () => {
    await deploy(await stage(workflow("v1", "Version1")), targets);
    const { codeDirectory } = registry.resolve("workflow", null).configuration;
    await rename(codeDirectory, `${codeDirectory}.partial`);
    await writeFile(join(`${codeDirectory}.partial`, "index.mjs"), "v");
    await deploy(await stage(workflow("v1", "Version1")), targets);

    expect(await readFile(join(codeDirectory, "index.mjs"), "utf8")).toBe("v1");
  });

  test("what left the template is removed", async () => {
    const document = { Type: "AWS::SSM::Document", Properties: { Name: "runs", Content: {} } };
    await deploy(await stage({ Document: document }), targets);
    await deploy(await stage({}), targets);

    expect(calls).toContain("put document runs");
    expect(calls).toContain("delete document runs");
  });

  test("a group of schedules is made and removed, and a role is the scheduler's where it says so", async () => {
    const role = (service: string) => ({
      Type: "AWS::IAM::Role",
      Properties: {
        RoleName: `of-${service}`,
        AssumeRolePolicyDocument: {
          Statement: [{ Action: "sts:AssumeRole", Principal: { Service: `${service}.amazonaws.com` } }],
        },
      },
    });
    const group = { Type: "AWS::Scheduler::ScheduleGroup", Properties: { Name: "clusters" } };
    await deploy(await stage({ Group: group, Ours: role("scheduler"), Other: role("lambda") }), targets);
    await deploy(await stage({}), targets);

    expect(calls).toEqual([
      "ensure bucket assets",
      "ensure group clusters",
      "let assume arn:aws:iam::000000000000:role/of-scheduler",
      "ensure bucket assets",
      "delete group clusters",
    ]);
  });

  const documentNamed = (name: string, more: Record<string, unknown> = {}) => ({
    Type: "AWS::SSM::Document",
    Properties: { Name: name, Content: {} },
    ...more,
  });

  test("a resource with a condition fails before anything is made", async () => {
    const stacks = await stage({ Document: documentNamed("runs", { Condition: "Large" }) });

    await expect(deploy(stacks, targets)).rejects.toThrow("condition");
    expect(calls).toEqual([]);
  });

  test("what left the template and is to be retained stays", async () => {
    await deploy(await stage({ Document: documentNamed("runs", { DeletionPolicy: "Retain" }) }), targets);
    const { changed } = await deploy(await stage({}), targets);

    expect(changed).toEqual([]);
    expect(calls).not.toContain("delete document runs");
  });

  test("another logical id for the same function keeps it, its versions and its alias", async () => {
    await deploy(await stage(workflow("v1", "Version1")), targets);
    const { Code, ...others } = workflow("v1", "Version1");
    const renamed = JSON.parse(
      JSON.stringify({ Renamed: Code, ...others }).replaceAll('"Code"}', '"Renamed"}'),
    );
    await deploy(await stage(renamed), targets);

    expect(registry.resolve("workflow:live", null).version).toBe("1");
    expect(registry.versionsOf("workflow")).toEqual(["1"]);
  });

  test("another name in the template makes another thing and removes the old one", async () => {
    await deploy(await stage({ Document: documentNamed("old") }), targets);
    await deploy(await stage({ Document: documentNamed("new") }), targets);

    expect(calls.filter((call) => call.includes("document"))).toEqual([
      "put document old",
      "put document new",
      "delete document old",
    ]);
  });

  test("a replaced thing stays where the template says so", async () => {
    const retained = { UpdateReplacePolicy: "Retain" };
    await deploy(await stage({ Document: documentNamed("old", retained) }), targets);
    await deploy(await stage({ Document: documentNamed("new", retained) }), targets);

    expect(calls).not.toContain("delete document old");
  });

  test("a deployment that was killed between a replacement and its removal is completed by the next", async () => {
    await deploy(await stage({ Document: documentNamed("old") }), targets);
    const killed = { ...targets, ssm: { ...targets.ssm, deleteDocument: fail } };
    const next = await stage({ Document: documentNamed("new") });
    await expect(deploy(next, killed)).rejects.toThrow("cannot be removed: killed");

    await deploy(next, targets);
    expect(calls).toContain("delete document old");
  });

  test("a deployment that was killed after it had removed a function is completed by the next", async () => {
    await deploy(await stage(workflow("v1", "Version1")), targets);
    registry.delete("workflow");

    await deploy(await stage({}), targets);
    expect(documents.collection("stack-resources").list()).toEqual([]);
  });

  test("a timer that is to send an event of its own is refused", async () => {
    const rule = {
      Type: "AWS::Events::Rule",
      Properties: { ScheduleExpression: "rate(1 minute)", Targets: [{ Id: "t", Arn: "arn:f", Input: "{}" }] },
    };

    await expect(deploy(await stage({ Rule: rule }), targets)).rejects.toThrow("target with Input");
  });
});

function fail(): never {
  throw new Error("killed");
}
