import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { Agent } from "node:https";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type DetailedPeerCertificate } from "node:tls";
import { DescribeInstancesCommand, EC2Client } from "@aws-sdk/client-ec2";
import { DeleteObjectsCommand, GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Faults } from "../../../local/endpoints/faults.ts";
import { IamService } from "../../../local/endpoints/iam/service.ts";
import { type Credentials, Identities } from "../../../local/endpoints/identities.ts";
import { Recorder } from "../../../local/endpoints/recorder.ts";
import {
  ensureObjectCertificate,
  type ObjectCertificate,
  objectsHost,
} from "../../../local/endpoints/s3/certificate.ts";
import { type EndpointProgram, startObjectEndpoint } from "../../../local/endpoints/s3/endpoint-process.ts";
import {
  type ForeignStorePlace,
  foreignBucket,
  foreignCertificate,
  foreignIdentities,
} from "../../../local/endpoints/s3/foreign-store.ts";
import { ObjectStore } from "../../../local/endpoints/s3/store.ts";
import { watchCalls } from "../../../local/endpoints/s3/watch.ts";
import { refusalOf } from "../../../local/permissions/refuse.ts";
import { surroundingsOf } from "../../../local/permissions/surroundings.ts";
import { Documents } from "../../../local/state/documents.ts";
import { ensureKeyFile } from "../../../local/state/key-file.ts";

const region = "local-1";
const account = "000000000000";
const Bucket = "backups";

let directory: string;
let store: ObjectStore;
let certificate: ObjectCertificate;
let identities: Identities;
let endpoint: EndpointProgram;
let foreign: ForeignStorePlace;
const recorder = new Recorder();
const faults = new Faults();
const documents = new Documents(":memory:");
const stage = { keyOfBucket: () => null };
const refusal = refusalOf(documents, surroundingsOf({ region, account, documents, stage: () => stage }));
const used: unknown[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "pgherd-s3-endpoint-"));
  store = await ObjectStore.open({ directory, writer: "control-plane" });
  await store.ensureBucket(Bucket);
  certificate = await ensureObjectCertificate(join(directory, "objects.pem"), region);
  identities = new Identities({ key: await ensureKeyFile(join(directory, "identities")), account });
  foreign = {
    directory: join(directory, "elsewhere"),
    host: "127.0.0.1",
    port: await freePort(),
    certificateFile: join(directory, "elsewhere.pem"),
    identitiesFile: join(directory, "elsewhere-identities"),
  };
  endpoint = await start();
});
afterAll(async () => {
  await endpoint.stop();
  store.close();
  documents.close();
  await rm(directory, { recursive: true });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function start(): Promise<EndpointProgram> {
  return startObjectEndpoint({
    directory,
    host: "127.0.0.1",
    region,
    account,
    certificateFile: join(directory, "objects.pem"),
    identitiesFile: join(directory, "identities"),
    foreign,
    node: process.execPath,
    watch: watchCalls({ recorder, faults, refusal, onCall: ({ input }) => used.push(input) }),
  });
}

/** What a machine has: S3's name leads to the endpoint, the environment's CA is trusted, the role's keys. */
function configOfMachine(roleName = "node") {
  const { accessKeyId, secretAccessKey, sessionToken } = identities.issue({
    roleName,
    sessionName: "i-0123456789abcdef0",
    lifetimeSeconds: 3600,
  });
  const httpsAgent = new Agent({
    ca: certificate.authority,
    lookup: (_name, _options, found) => found(null, [{ address: "127.0.0.1", family: 4 }]),
  });
  return {
    region,
    endpoint: `https://${objectsHost(region)}:${endpoint.port}`,
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken === null ? {} : { sessionToken }) },
    maxAttempts: 1,
    requestHandler: { httpsAgent },
  };
}

function machine(roleName?: string): S3Client {
  return new S3Client({ ...configOfMachine(roleName), forcePathStyle: true });
}

/** A role that IAM knows, which may delete below a prefix and nothing else. */
async function makeRole(RoleName: string, prefix: string): Promise<void> {
  const iam = new IamService({ documents, account });
  await iam.call("CreateRole", { RoleName, AssumeRolePolicyDocument: "{}" });
  const Resource = `arn:aws:s3:::${Bucket}/${prefix}*`;
  const Statement = [{ Effect: "Allow", Action: "s3:DeleteObject", Resource }];
  const PolicyDocument = JSON.stringify({ Version: "2012-10-17", Statement });
  await iam.call("PutRolePolicy", { RoleName, PolicyName: "own", PolicyDocument });
}

function peerCertificate(): Promise<DetailedPeerCertificate> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port: endpoint.port, servername: objectsHost(region) };
    const socket = connect({ ...options, ca: certificate.authority }, () => {
      resolve(socket.getPeerCertificate(true));
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

test("a machine that deletes many objects at once is refused each that it may not delete, and only those", async () => {
  const [own, other] = ["clusters/clu_1/0/", "clusters/clu_2/0/"];
  const keys = [`${own}a`, `${other}a`, `${own}b`];
  const everybody = machine();
  for (const Key of keys) await everybody.send(new PutObjectCommand({ Bucket, Key, Body: "bytes" }));
  await makeRole("held", own);
  const s3 = machine("held");
  const Delete = { Objects: keys.map((Key) => ({ Key })) };
  const answer = await s3.send(new DeleteObjectsCommand({ Bucket, Delete }));
  expect(answer.Deleted?.map(({ Key }) => Key)).toEqual([`${own}a`, `${own}b`]);
  expect(answer.Errors).toEqual([{ Key: `${other}a`, Code: "AccessDenied", Message: "Access Denied" }]);
  expect(await Promise.all(keys.map((key) => store.has(Bucket, key)))).toEqual([false, true, false]);
  // What was refused was not used.
  await vi.waitFor(() => expect(used.at(-1)).toEqual({ Bucket, Key: null, Keys: [`${own}a`, `${own}b`] }));
  everybody.destroy();
  s3.destroy();
});

test("what a machine puts over TLS is in the bucket, and the control plane hears who put it", async () => {
  const s3 = machine();
  await s3.send(new PutObjectCommand({ Bucket, Key: "clusters/clu_1/0/x", Body: "bytes" }));
  expect(store.get(Bucket, "clusters/clu_1/0/x")).toMatchObject({ sizeBytes: 5 });
  await vi.waitFor(() =>
    expect(recorder.list({ action: "PutObject" }).at(-1)).toMatchObject({
      service: "s3",
      roleName: "node",
      input: { Bucket, Key: "clusters/clu_1/0/x" },
      errorCode: null,
    }),
  );
  s3.destroy();
});

test("the certificate names S3 and nothing else, and nobody has the key of the CA that signed it", async () => {
  const { subjectaltname, issuerCertificate } = await peerCertificate();
  expect(subjectaltname).toBe(`DNS:s3.${region}.amazonaws.com`);
  expect(issuerCertificate.subject.CN).toBe(`pgherd local environment: s3.${region}.amazonaws.com`);
  const keys = Object.values(certificate).filter((pem) => pem.includes("PRIVATE KEY"));
  expect(keys).toEqual([certificate.key]);
  expect((await stat(join(directory, "objects.pem"))).mode & 0o777).toBe(0o600);
});

test("who trusts only the world's CAs refuses it", async () => {
  const options = { host: "127.0.0.1", port: endpoint.port, servername: objectsHost(region) };
  const socket = connect(options);
  await expect(
    new Promise((_, reject) => {
      socket.once("error", reject);
    }),
  ).rejects.toMatchObject({ code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" });
});

test("a fault of the environment's reaches it", async () => {
  const s3 = machine();
  faults.add({ service: "s3", action: "GetObject", effect: { kind: "throttle" } });
  const get = () => s3.send(new GetObjectCommand({ Bucket, Key: "never" }));
  await expect(get()).rejects.toMatchObject({ name: "SlowDown" });
  await expect(get()).rejects.toMatchObject({ name: "NoSuchKey" });
  s3.destroy();
});

test("another service's calls are refused there", async () => {
  const ec2 = new EC2Client(configOfMachine());
  await expect(ec2.send(new DescribeInstancesCommand({}))).rejects.toThrow();
  const code = "AuthorizationHeaderMalformed";
  await vi.waitFor(() => expect(recorder.list().at(-1)).toMatchObject({ errorCode: code }));
  ec2.destroy();
});

describe("a store of somebody else's beside it", () => {
  const open = async (keys: Credentials): Promise<S3Client> =>
    new S3Client({
      region,
      endpoint: `https://127.0.0.1:${foreign.port}`,
      credentials: { accessKeyId: keys.accessKeyId, secretAccessKey: keys.secretAccessKey },
      forcePathStyle: true,
      maxAttempts: 1,
      requestHandler: { httpsAgent: { ca: (await foreignCertificate(foreign)).authority } },
    });
  const put = (s3: S3Client) => s3.send(new PutObjectCommand({ Bucket: foreignBucket, Key: "x", Body: "y" }));

  test("opens to its own key, over TLS, and nobody hears of it", async () => {
    const before = recorder.list().length;
    const s3 = await open((await foreignIdentities(foreign.identitiesFile)).operator());
    await put(s3);
    const answer = await s3.send(new GetObjectCommand({ Bucket: foreignBucket, Key: "x" }));
    expect(await answer.Body?.transformToString()).toBe("y");
    expect(recorder.list()).toHaveLength(before);
    s3.destroy();
  });

  test("does not open to the environment's, nor has its bucket", async () => {
    const stranger = await open(identities.operator());
    await expect(put(stranger)).rejects.toMatchObject({ name: "InvalidAccessKeyId" });
    stranger.destroy();
    const s3 = await open((await foreignIdentities(foreign.identitiesFile)).operator());
    await expect(s3.send(new GetObjectCommand({ Bucket, Key: "x" }))).rejects.toMatchObject({
      name: "NoSuchBucket",
    });
    s3.destroy();
  });
});

test("killed and started again it has what it had, the same certificate, and nothing half done", async () => {
  const before = (await peerCertificate()).fingerprint256;
  process.kill(endpoint.pid, "SIGKILL");
  expect(await endpoint.exited).toBe("exit SIGKILL");
  endpoint = await start();
  expect((await peerCertificate()).fingerprint256).toBe(before);
  const s3 = machine();
  const answer = await s3.send(new GetObjectCommand({ Bucket, Key: "clusters/clu_1/0/x" }));
  expect(await answer.Body?.transformToString()).toBe("bytes");
  expect(await readdir(join(directory, "drafts", "endpoint"))).toEqual([]);
  s3.destroy();
});
