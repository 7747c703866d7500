import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { buffer } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type SynthesizedStage, synthesize } from "../../../infra/build/synth.ts";
import { passwordParameter } from "../../../layers/domain/cluster/names.ts";
import { nodePolicy, nodePolicyName, nodeRoleName } from "../../../layers/domain/cluster/node-role.ts";
import { environmentSettingsSchema } from "../../../layers/domain/environment.ts";
import { operationKindSchema } from "../../../layers/domain/operation/operation.ts";
import { deploy } from "../../../local/deploy/deploy.ts";
import type { DeployTargets } from "../../../local/deploy/targets.ts";
import { Ec2Service } from "../../../local/endpoints/ec2/service.ts";
import { IamService } from "../../../local/endpoints/iam/service.ts";
import { Identities } from "../../../local/endpoints/identities.ts";
import { ObjectStore } from "../../../local/endpoints/s3/store.ts";
import { SchedulerService } from "../../../local/endpoints/scheduler/service.ts";
import { SsmService } from "../../../local/endpoints/ssm/service.ts";
import { LambdaService } from "../../../local/lambda/service.ts";
import { Traces } from "../../../local/lambda/traces.ts";
import { refusalOf } from "../../../local/permissions/refuse.ts";
import { surroundingsOf } from "../../../local/permissions/surroundings.ts";
import { Documents } from "../../../local/state/documents.ts";
import { LogFile } from "../../../local/state/log-file.ts";
import { zones } from "./support/ec2.ts";
import { account, region } from "./support/endpoints.ts";
import { repository } from "./support/functions.ts";
import { PaperDriver } from "./support/paper-driver.ts";

/** Builds and synthesizes with CDK: seconds on an idle machine, and two cores may be busy with something else. */
const synthesisTimeoutMs = 120_000;
/** `npm start` on an environment that is up spends this much on its deployment at most. */
const unchangedMsMax = 500;
const clusterId = "clu_01JD3V9Q0CZ5J8W6T4S2R1N7KM";
const issuer = "http://127.0.0.1:4000/";

let directory: string;
let stage: SynthesizedStage;
let objects: ObjectStore;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "pgherd-deploy-stage-"));
  stage = await synthesize({
    stage: "local",
    outDirectory: join(directory, "stage"),
    variables: { PGHERD_LOCAL_VPC_CIDR: "198.18.8.0/22", PGHERD_LOCAL_ISSUER: issuer },
  });
  objects = await ObjectStore.open({ directory, writer: "test" });
}, synthesisTimeoutMs);

afterAll(async () => {
  objects.close();
  await rm(directory, { recursive: true, force: true });
});

/** What a control plane with this state deploys into: its own services, machines and tables on paper. */
async function openEnvironment(name: string, bucket: DeployTargets["objects"] = objects) {
  const database = join(directory, `${name}.sqlite`);
  const documents = new Documents(database);
  const driver = new PaperDriver();
  const ec2 = new Ec2Service({ documents, driver, imagePath: "/image", account, region, zones });
  const ssm = new SsmService({
    documents,
    driver,
    inventory: ec2,
    vaultKey: Buffer.alloc(32, 1),
    region,
    account,
    machineEnvironment: { endpointUrl: "http://127.0.0.1/", region, serviceEndpointUrls: {} },
  });
  const lambda = new LambdaService({
    documents,
    identities: new Identities({ key: Buffer.alloc(32, 2), account }),
    region,
    account,
    node: process.execPath,
    runtimeModules: join(repository, "node_modules"),
    logDirectory: join(directory, "logs"),
    endpointEnvironment: () => ({}),
    traces: await Traces.open(new LogFile(join(directory, "traces.jsonl"))),
  });
  const scheduler = new SchedulerService({ documents, region, account, invoke: async () => undefined });
  const tables = new Map<string, unknown>();
  const targets: DeployTargets = {
    documents,
    ec2,
    ssm,
    lambda,
    scheduler,
    objects: bucket,
    tables: {
      ensureTable: async (table, properties) => void tables.set(table, properties["KeySchema"]),
      deleteTable: async (table) => void tables.delete(table),
    },
    region,
    account,
    zones,
    assetDirectory: join(directory, "assets"),
  };
  const close = async () => {
    await lambda.close();
    ec2.close();
    documents.close();
  };
  return { ...{ targets, ec2, ssm, lambda, scheduler, tables, close }, state: () => stateOf(database) };
}
type Environment = Awaited<ReturnType<typeof openEnvironment>>;

/** All that the services keep, without the moments at which they began to. */
function stateOf(database: string): Record<string, string> {
  const file = new DatabaseSync(database, { readOnly: true });
  const rows = file.prepare("SELECT collection, id, body FROM documents").all();
  file.close();
  const timeless = (body: unknown) => String(body).replaceAll(/"\d{4}-\d\d-\d\dT[\d:.]+Z"/g, '"(time)"');
  return Object.fromEntries(rows.map((row) => [`${row["collection"]} ${row["id"]}`, timeless(row["body"])]));
}

const operator = {} as Parameters<Ec2Service["call"]>[2];

describe("the stage `local`, deployed", () => {
  let environment: Environment;
  let deployment: Awaited<ReturnType<typeof deploy>>;

  beforeAll(async () => {
    environment = await openEnvironment("deployed");
    deployment = await deploy(stage.stacks, environment.targets);
  });
  afterAll(() => environment.close());

  const settingsOf = (functionName: string) => {
    const { environment: variables } = environment.lambda.resolve(functionName, null).configuration;
    return environmentSettingsSchema.parse(JSON.parse(variables["PGHERD_SETTINGS"] ?? ""));
  };

  test("tells its functions of networks, a launch template and a document that are there", async () => {
    const settings = settingsOf("pgherd-local-create-cluster");
    const { subnetSet } = await environment.ec2.call("DescribeSubnets", {}, operator);
    const subnets = (subnetSet as { subnetId: string; availabilityZone: string; vpcId: string }[]).map(
      (subnet) => [subnet.availabilityZone, subnet.subnetId, subnet.vpcId],
    );
    expect(subnets.sort()).toEqual(zones.map((zone) => [zone, settings.subnets[zone], settings.vpcId]));
    const { launchTemplates } = await environment.ec2.call("DescribeLaunchTemplates", {}, operator);
    expect(launchTemplates).toMatchObject([{ launchTemplateId: settings.launchTemplateId }]);
    const { DocumentIdentifiers } = await environment.ssm.call("ListDocuments", {}, operator);
    expect(DocumentIdentifiers).toMatchObject([{ Name: settings.nodeDocument }]);
  });

  test("holds the table that functions are told of", () => {
    const { configuration } = environment.lambda.resolve("pgherd-local-api", null);
    expect([...environment.tables.keys()]).toEqual([configuration.environment["PGHERD_TABLE"]]);
  });

  test("has the bucket for backups that functions are told of", () => {
    expect(objects.buckets()).toContain(settingsOf("pgherd-local-create-cluster").backups.bucket);
  });

  test("has the node program in its bucket, byte by byte what commands will ask for", async () => {
    const { bucket, key, sha256 } = settingsOf("pgherd-local-create-cluster").nodeProgram;
    const object = objects.get(bucket, key);
    const content = await buffer(objects.read(object, { first: 0, last: object.sizeBytes - 1 }));
    expect(createHash("sha256").update(content).digest("hex")).toBe(sha256);
  });

  test("lets the nodes of a cluster do what they are there for within its boundary, and nothing beyond", async () => {
    const settings = settingsOf("pgherd-local-create-cluster");
    const { documents } = environment.targets;
    const roleName = nodeRoleName(settings.environment, clusterId);
    const iam = new IamService({ documents, account });
    const PermissionsBoundary = settings.nodeRoles.boundaryArn;
    await iam.call("CreateRole", { RoleName: roleName, AssumeRolePolicyDocument: "{}", PermissionsBoundary });
    const put = async (policy: object) => {
      const PolicyDocument = JSON.stringify(policy);
      await iam.call("PutRolePolicy", { RoleName: roleName, PolicyName: nodePolicyName, PolicyDocument });
    };
    const surroundings = surroundingsOf({ region, account, documents, stage: () => deployment });
    const refusal = refusalOf(documents, surroundings);
    const caller = { accessKeyId: "", arn: roleName, roleName };
    const isRefused = (service: string, action: string, input: object) =>
      refusal({ service, action, input, caller }) !== null;
    const { bucket: Bucket } = settings.backups;
    const Key = `clusters/${clusterId}/0/a`;
    const ownWork = () => [
      isRefused("ssm", "GetParameters", { Names: [passwordParameter("local", clusterId, "admin")] }),
      isRefused("s3", "GetObject", { Bucket: settings.nodeProgram.bucket, Key: settings.nodeProgram.key }),
      ...["PutObject", "GetObject", "DeleteObject"].map((action) => isRefused("s3", action, { Bucket, Key })),
      isRefused("s3", "ListObjectsV2", { Bucket, Prefix: `clusters/${clusterId}/` }),
    ];
    await put(nodePolicy({ ...settings, region }, { clusterId, store: null, source: null }));
    expect(ownWork()).not.toContain(true);
    await put({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }] });
    expect(ownWork()).not.toContain(true);
    expect(isRefused("ssm", "GetParameters", { Names: [`/pgherd/local/${clusterId}/ca/key`] })).toBe(true);
    expect(isRefused("s3", "PutObject", { Bucket: settings.nodeProgram.bucket, Key })).toBe(true);
    expect(isRefused("ec2", "TerminateInstances", { InstanceId: ["i-01"] })).toBe(true);
  });

  test("has a version behind each workflow that the API starts", () => {
    const { workflows } = settingsOf("pgherd-local-api");
    expect(Object.keys(workflows).sort()).toEqual(operationKindSchema.options.toSorted());
    for (const [kind, arn] of Object.entries(workflows)) {
      const { configuration, version } = environment.lambda.resolve(arn, null);
      expect([configuration.functionName, version]).toEqual([`pgherd-local-${kind}`, "1"]);
      expect(configuration.durable).not.toBeNull();
    }
  });

  test("leaves open what needs no token, and asks for one of its issuer everywhere else", () => {
    const open = deployment.routes.filter((route) => route.authorization === "none");
    expect(open.map(({ routeKey }) => routeKey).sort()).toEqual([
      "$default",
      "GET /docs",
      "GET /healthz",
      "GET /openapi.json",
    ]);
    const guarded = deployment.routes.filter((route) => route.authorization === "jwt");
    expect(guarded.map(({ routeKey }) => routeKey)).toEqual(["ANY /v1/{proxy+}", "GET /v1/{proxy+}"]);
    expect(deployment.authorizer).toEqual({ issuer, audience: ["pgherd"] });
  });

  test("has timers and routes that lead to functions", async () => {
    for (const { target } of deployment.rules) environment.lambda.resolve(target, null);
    for (const { integration } of deployment.routes) environment.lambda.resolve(integration, null);
    const periods = deployment.rules.map(({ everySeconds }) => everySeconds);
    const versionSweepSeconds = 3 * 60 * 60;
    expect(periods.toSorted((left, right) => left - right)).toEqual([
      ...Array(8).fill(60),
      versionSweepSeconds,
    ]);
  });

  test("runs the API's bundle on its layer, from copies that the next synthesis leaves alone", async () => {
    const { configuration } = environment.lambda.resolve("pgherd-local-api", null);
    for (const folder of [configuration.codeDirectory, ...configuration.layerDirectories]) {
      expect(folder.startsWith(join(directory, "assets"))).toBe(true);
    }
    const request = { version: "2.0", routeKey: "GET /openapi.json", rawPath: "/openapi.json" };
    const payload = JSON.stringify({
      ...{ ...request, rawQueryString: "", headers: {}, isBase64Encoded: false },
      requestContext: {
        ...{ accountId: account, apiId: "api", requestId: "r", stage: "$default", time: "", timeEpoch: 0 },
        http: {
          method: "GET",
          path: "/openapi.json",
          protocol: "HTTP/1.1",
          sourceIp: "127.0.0.1",
          userAgent: "",
        },
      },
    });
    const answer = await environment.lambda.invoke({ reference: "pgherd-local-api", payload });
    expect(answer.functionError).toBeNull();
    expect(JSON.parse(answer.payload ?? "{}")).toMatchObject({ statusCode: 200 });
  });
});

describe("deployed again", () => {
  let environment: Environment;

  beforeEach(async () => {
    await rm(join(directory, "again.sqlite"), { force: true });
    environment = await openEnvironment("again");
    await deploy(stage.stacks, environment.targets);
  });
  afterEach(() => environment.close());

  test("by the next control plane, nothing changes, and it takes no time", async () => {
    const before = environment.state();
    await environment.close();
    environment = await openEnvironment("again");
    const startedAt = performance.now();
    const { changed, routes } = await deploy(stage.stacks, environment.targets);

    expect(performance.now() - startedAt).toBeLessThan(unchangedMsMax);
    expect(changed).toEqual([]);
    expect(routes.length).toBeGreaterThan(0);
    expect(environment.state()).toEqual(before);
  });

  test("with another node program, functions learn of it in new versions and old versions keep theirs", async () => {
    const { lambda, targets } = environment;
    const programOf = (reference: string) => {
      const { configuration } = lambda.resolve(reference, null);
      const settings: unknown = JSON.parse(configuration.environment["PGHERD_SETTINGS"] ?? "");
      return environmentSettingsSchema.parse(settings).nodeProgram.sha256;
    };
    const workflow = "pgherd-local-create-cluster";
    const before = programOf(`${workflow}:live`);
    const { changed } = await deploy(await stacksWithProgram(otherProgram), targets);

    expect(lambda.versionsOf(workflow)).toEqual(["1", "2"]);
    expect([programOf(`${workflow}:live`), programOf(`${workflow}:1`)]).toEqual([otherProgram, before]);
    expect(changed.filter((key) => !key.includes("Function"))).toEqual([]);
  });
});

const otherProgram = "0".repeat(64);

/** The stage as CDK would synthesize it with another node program: versions of functions get other logical ids. */
async function stacksWithProgram(sha256: string): Promise<SynthesizedStage["stacks"]> {
  return Promise.all(
    stage.stacks.map(async (stack) => {
      const text = await readFile(stack.template, "utf8");
      const template = join(directory, `${stack.name}.other.json`);
      const other = text
        .replaceAll(/(?<=sha256\\":\\")[0-9a-f]{64}/g, sha256)
        .replaceAll(/(CurrentVersion[0-9A-F]{8})[0-9a-f]{32}/g, `$1${"0".repeat(32)}`);
      await writeFile(template, other);
      return { ...stack, template };
    }),
  );
}

/** The whole stage is deployed twice for each of its calls. */
const everyCallMs = 120_000;

describe("a deployment that is killed", () => {
  test.each(["before", "after"] as const)(
    "%s any of its calls is completed by the next one",
    { timeout: everyCallMs },
    async (side) => {
      const whole = await openPaperEnvironment(`whole-${side}`);
      let calls = 0;
      await deploy(
        stage.stacks,
        watched(whole.environment.targets, side, () => {
          calls += 1;
        }),
      );
      const expected = whole.result();
      await whole.environment.close();
      expect(calls).toBeGreaterThan(10);

      for (let call = 1; call <= calls; call += 1) {
        const { environment, result } = await openPaperEnvironment(`killed-${side}-${call}`);
        let seen = 0;
        const killed = watched(environment.targets, side, () => {
          seen += 1;
          if (seen >= call) throw new Error("killed");
        });
        await expect(deploy(stage.stacks, killed)).rejects.toThrow("killed");
        await deploy(stage.stacks, environment.targets);
        expect(result()).toEqual(expected);
        await environment.close();
      }
    },
  );
});

/** An environment with a bucket of its own, and all that a deployment leaves in it. */
async function openPaperEnvironment(name: string) {
  const kept = new Set<string>();
  const environment = await openEnvironment(name, {
    ensureBucket: async (bucket) => void kept.add(bucket),
    has: async (bucket, key) => kept.has(`${bucket}/${key}`),
    putFile: async (bucket, key) => void kept.add(`${bucket}/${key}`),
  });
  const result = () => ({
    state: environment.state(),
    tables: [...environment.tables.keys()],
    kept: [...kept].sort(),
  });
  return { environment, result };
}

/** The same services; `onCall` hears of each call before or after it is carried out, and may end it. */
function watched(targets: DeployTargets, side: "before" | "after", onCall: () => void): DeployTargets {
  const watch = <T extends object>(service: T): T =>
    new Proxy(service, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== "function") return method;
        return (...values: unknown[]) => {
          if (side === "before") onCall();
          const result: unknown = Reflect.apply(method, target, values);
          if (side === "before") return result;
          if (result instanceof Promise) return result.finally(onCall);
          onCall();
          return result;
        };
      },
    });
  const { ec2, ssm, lambda, objects: bucket, tables } = targets;
  return {
    ...targets,
    ...{ ec2: watch(ec2), ssm: watch(ssm), lambda: watch(lambda) },
    ...{ objects: watch(bucket), tables: watch(tables) },
  };
}
