import { PutParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { IamNodeIdentities } from "../../../layers/aws/identities.ts";
import { readParameters } from "../../../layers/aws/node.ts";
import { passwordParameter } from "../../../layers/domain/cluster/names.ts";
import { type NodeRights, nodeRoleName } from "../../../layers/domain/cluster/node-role.ts";
import { Faults } from "../../../local/endpoints/faults.ts";
import { Boundaries } from "../../../local/endpoints/iam/boundaries.ts";
import { RoleFacts } from "../../../local/endpoints/iam/roles.ts";
import { IamService } from "../../../local/endpoints/iam/service.ts";
import { Recorder } from "../../../local/endpoints/recorder.ts";
import { watchCalls } from "../../../local/endpoints/s3/watch.ts";
import { SsmService } from "../../../local/endpoints/ssm/service.ts";
import { refusalOf } from "../../../local/permissions/refuse.ts";
import { surroundingsOf } from "../../../local/permissions/surroundings.ts";
import { Documents } from "../../../local/state/documents.ts";
import { settings as ofWorld } from "../../api/support/world.ts";
import { account, region, startEndpoints } from "../local/support/endpoints.ts";
import { PaperDriver } from "../local/support/paper-driver.ts";

const clusterId = "clu_01JD3V9Q0CZ5J8W6T4S2R1N7KM";
const otherId = "clu_01JD3V9Q0CZ5J8W6T4S2R1N7KN";
const keyId = `arn:aws:kms:${region}:${account}:key/1`;
const settings = { ...ofWorld, keyId };
const { environment } = settings;
const name = nodeRoleName(environment, clusterId);
const rights: NodeRights = { clusterId, store: null, source: null };

/** As the template has it: the most that any cluster's nodes may do. */
const boundary = {
  Version: "2012-10-17",
  Statement: [
    {
      Effect: "Allow",
      Action: "ssm:GetParameters",
      Resource: `arn:aws:ssm:${region}:${account}:parameter/pgherd/${environment}/clu_*/users/*`,
    },
    { Effect: "Allow", Action: "kms:*", Resource: keyId },
    { Effect: "Allow", Action: "s3:*Object", Resource: "arn:aws:s3:::backups/clusters/*" },
    { Effect: "Allow", Action: "s3:ListBucket", Resource: "arn:aws:s3:::backups" },
  ],
};

async function open() {
  const documents = new Documents(":memory:");
  new Boundaries(documents).put(settings.nodeRoles.boundaryArn, JSON.stringify(boundary));
  const stage = { keyOfBucket: (bucket: string) => (bucket === "backups" ? keyId : null) };
  const surroundings = surroundingsOf({ region, account, documents, stage: () => stage });
  const refusal = refusalOf(documents, surroundings);
  const ssm = new SsmService({
    documents,
    driver: new PaperDriver(),
    inventory: { listMachines: () => [] },
    vaultKey: Buffer.alloc(32, 1),
    region,
    account,
    machineEnvironment: { endpointUrl: "", region, serviceEndpointUrls: {} },
  });
  const iam = new IamService({ documents, account });
  const endpoints = await startEndpoints([ssm, iam], undefined, undefined, refusal);
  const identities = new IamNodeIdentities(
    { region, settings },
    { config: endpoints.operator, settleMs: 500 },
  );
  const operator = new SSMClient(endpoints.operator);
  for (const id of [clusterId, otherId]) {
    const Name = passwordParameter(environment, id, "admin");
    await operator.send(new PutParameterCommand({ Name, Value: id, Type: "SecureString", KeyId: keyId }));
  }
  operator.destroy();
  return { documents, endpoints, facts: new RoleFacts(documents), iam, identities, refusal };
}

let world: Awaited<ReturnType<typeof open>>;
beforeEach(async () => {
  world = await open();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await world.endpoints.close();
  world.documents.close();
});

const kept = (kind: string) => world.documents.collection<{ name: string }>(kind).list();
const everything = () => [...kept("iam-roles"), ...kept("iam-instance-profiles")].map((one) => one.name);

describe("the identity of a cluster's nodes", () => {
  test("is a role within the boundary, and a profile that gives it, below the environment's path", async () => {
    const { facts, identities } = world;
    await identities.ensure(rights);
    expect(facts.roleArn(name)).toBe(`arn:aws:iam::${account}:role/pgherd/${environment}/nodes/${name}`);
    expect(facts.boundaryOf(name)).toBe(settings.nodeRoles.boundaryArn);
    expect(facts.profileArn(name)).toContain(`:instance-profile/pgherd/${environment}/nodes/`);
    expect(facts.roleOf(facts.profileArn(name) ?? "")?.name).toBe(name);
    expect(await identities.list()).toEqual([{ name, clusterId }]);
  });

  test("is the same when it is made again, and gone when it was removed, also twice", async () => {
    const { identities } = world;
    await identities.ensure(rights);
    await identities.ensure(rights);
    expect(everything()).toEqual([name, name]);
    await identities.remove(clusterId);
    await identities.remove(clusterId);
    expect(everything()).toEqual([]);
  });

  test.each(["PutRolePolicy", "CreateInstanceProfile", "AddRoleToInstanceProfile"])(
    "is completed, and removed, after a making that ended at %s",
    async (action) => {
      const { endpoints, identities } = world;
      const cut = () => {
        endpoints.faults.add({ action, effect: { kind: "error", code: "AccessDenied", statusCode: 403 } });
        return expect(identities.ensure(rights)).rejects.toThrow();
      };
      await cut();
      await identities.ensure(rights);
      expect(everything()).toEqual([name, name]);
      await identities.remove(clusterId);
      await cut();
      expect(everything()).not.toEqual([]);
      await identities.remove(clusterId);
      expect(everything()).toEqual([]);
    },
  );

  test("waits for IAM to have settled, and not for ever", async () => {
    const { endpoints, identities } = world;
    endpoints.faults.add({
      action: "PutRolePolicy",
      effect: { kind: "error", code: "NoSuchEntity", statusCode: 404 },
    });
    await identities.ensure(rights);
    endpoints.faults.add({
      action: "DeleteRole",
      times: 1_000,
      effect: { kind: "error", code: "DeleteConflict", statusCode: 409 },
    });
    await expect(identities.remove(clusterId)).rejects.toThrow(`the end of role ${name} did not happen`);
  });
});

describe("a node, in this environment as on AWS,", () => {
  /** As its own node program reads, with the credentials of the machine. */
  async function read(id: string, role = name): Promise<ReadonlyMap<string, string>> {
    const { credentials, endpoint } = world.endpoints.as(role);
    vi.stubEnv("AWS_ENDPOINT_URL", endpoint);
    vi.stubEnv("AWS_REGION", region);
    vi.stubEnv("AWS_ACCESS_KEY_ID", credentials.accessKeyId);
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", credentials.secretAccessKey);
    vi.stubEnv("AWS_SESSION_TOKEN", "sessionToken" in credentials ? credentials.sessionToken : "");
    return readParameters([passwordParameter(environment, id, "admin")]);
  }

  test("reads its own cluster's secrets, and is refused another cluster's", async () => {
    await world.identities.ensure(rights);
    const own = await read(clusterId);
    expect([...own.values()]).toEqual([clusterId]);
    await expect(read(otherId)).rejects.toMatchObject({ name: "AccessDeniedException" });
    expect([...(await read(otherId, "a-function")).values()]).toEqual([otherId]);
  });

  const s3 = (action: string, input: Readonly<Record<string, string>>) => {
    const caller = { accessKeyId: "", arn: `role/${name}`, roleName: name };
    const watch = watchCalls({ recorder: new Recorder(), faults: new Faults(), refusal: world.refusal });
    return watch.begin({ service: "s3", action, input: { Bucket: "backups", ...input }, caller });
  };
  const denied = [{ kind: "error", code: "AccessDenied", message: expect.any(String), statusCode: 403 }];

  test("keeps backups below its own cluster's prefix, and is refused what is another cluster's", async () => {
    await world.identities.ensure(rights);
    for (const action of ["GetObject", "PutObject", "DeleteObject"]) {
      expect(await s3(action, { Key: `clusters/${clusterId}/0/a` })).toEqual([]);
      expect(await s3(action, { Key: `clusters/${otherId}/0/a` })).toEqual(denied);
    }
    expect(await s3("ListObjectsV2", { Prefix: `clusters/${clusterId}/0/` })).toEqual([]);
    expect(await s3("ListObjectsV2", { Prefix: `clusters/${otherId}/0/` })).toEqual(denied);
    expect(await s3("ListObjectsV2", { Prefix: "clusters/" })).toEqual(denied);
  });

  test("reads another cluster's backups while they are restored here, changes nothing there, and no longer after", async () => {
    const source = { clusterId: otherId, store: null };
    await world.identities.ensure({ ...rights, source });
    const theirs = { Key: `clusters/${otherId}/0/a` };
    expect(await s3("GetObject", theirs)).toEqual([]);
    expect(await s3("PutObject", theirs)).toEqual(denied);
    expect(await s3("DeleteObject", theirs)).toEqual(denied);
    await expect(read(otherId)).rejects.toMatchObject({ name: "AccessDeniedException" });
    await world.identities.permit(rights);
    expect(await s3("GetObject", theirs)).toEqual(denied);
  });

  test("may do no more than the boundary, whatever its cluster's policy says", async () => {
    await world.identities.ensure(rights);
    const Statement = [{ Effect: "Allow", Action: "*", Resource: "*" }];
    await world.iam.call("PutRolePolicy", {
      RoleName: name,
      PolicyName: "everything",
      PolicyDocument: JSON.stringify({ Version: "2012-10-17", Statement }),
    });
    expect([...(await read(otherId)).values()]).toEqual([otherId]);
    expect(await s3("DeleteObject", { Key: `clusters/${otherId}/0/a` })).toEqual([]);
    expect(await s3("DeleteObject", { Key: "elsewhere" })).toEqual([
      expect.objectContaining({
        code: "AccessDenied",
        message: expect.stringContaining("no permissions boundary"),
      }),
    ]);
    expect(await s3("ListObjectsV2", { Bucket: "assets" })).toEqual(denied);
  });

  test("may do nothing once its boundary is gone, and no role is made within one that is not there", async () => {
    await world.identities.ensure(rights);
    new Boundaries(world.documents).delete(settings.nodeRoles.boundaryArn);
    await expect(read(clusterId)).rejects.toMatchObject({ name: "AccessDeniedException" });
    const other = { ...rights, clusterId: otherId };
    await expect(world.identities.ensure(other)).rejects.toThrow("does not exist or is not attachable");
  });
});
