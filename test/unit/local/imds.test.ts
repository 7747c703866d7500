import { afterEach, beforeEach, expect, test } from "vitest";
import { Identities } from "../../../local/endpoints/identities.ts";
import { MetadataServer } from "../../../local/endpoints/imds.ts";
import { account, region } from "./support/endpoints.ts";

const machine = {
  instanceId: "i-0123456789abcdef0",
  address: "127.0.0.1",
  hostname: "ip-127-0-0-1",
  zone: "local-1a",
  imageId: "ami-00010ca1",
  instanceType: "t4g.small",
  macAddress: "02:00:00:00:00:01",
  instanceProfileArn: `arn:aws:iam::${account}:instance-profile/node`,
  launchedAt: "2026-01-01T00:00:00.000Z",
  tags: {},
};

const identities = new Identities({ key: Buffer.alloc(32, 1), account });
let now: Date;
let known: boolean;
let server: MetadataServer;
let base: string;

beforeEach(async () => {
  now = new Date();
  known = true;
  server = new MetadataServer({
    region,
    account,
    machineAt: (address) => (known && address === machine.address ? machine : undefined),
    roleOf: (profile) => (profile.endsWith("/node") ? "NodeRole" : null),
    issue: (session) => identities.issue(session),
    now: () => now,
  });
  base = `http://127.0.0.1:${await server.listen({ host: "127.0.0.1", port: 0 })}`;
});
afterEach(() => server.close());

function askToken(headers: Record<string, string> = { "x-aws-ec2-metadata-token-ttl-seconds": "60" }) {
  return fetch(`${base}/latest/api/token`, { method: "PUT", headers });
}

async function get(path: string): Promise<string> {
  const token = await (await askToken()).text();
  const response = await fetch(base + path, { headers: { "x-aws-ec2-metadata-token": token } });
  if (response.status !== 200) throw new Error(`${path}: ${response.status}`);
  return response.text();
}

test("a machine learns who and where it is", async () => {
  expect(await get("/latest/meta-data/instance-id")).toBe(machine.instanceId);
  expect(await get("/latest/meta-data/local-ipv4")).toBe(machine.address);
  expect(await get("/latest/meta-data/placement/availability-zone")).toBe("local-1a");
  expect(await get("/latest/meta-data/placement/region")).toBe(region);
  expect(await get("/latest/meta-data/mac")).toBe(machine.macAddress);
  const document = JSON.parse(await get("/latest/dynamic/instance-identity/document"));
  expect(document).toMatchObject({ instanceId: machine.instanceId, accountId: account, region });
});

test("a machine gets credentials of its role that the endpoints know as its own", async () => {
  expect(await get("/latest/meta-data/iam/security-credentials/")).toBe("NodeRole");
  // So pgBackRest asks.
  expect(await get("/latest/meta-data/iam/security-credentials")).toBe("NodeRole");
  const given = JSON.parse(await get("/latest/meta-data/iam/security-credentials/NodeRole"));
  const { caller } = identities.resolve(given.AccessKeyId, given.Token);
  expect(caller.arn).toBe(`arn:aws:sts::${account}:assumed-role/NodeRole/${machine.instanceId}`);
  expect(Date.parse(given.Expiration)).toBeGreaterThan(now.getTime());
});

test("without a token, with one that expired or one that was made up, nothing is told", async () => {
  const path = `${base}/latest/meta-data/instance-id`;
  expect((await fetch(path)).status).toBe(401);
  expect((await fetch(path, { headers: { "x-aws-ec2-metadata-token": "a.b" } })).status).toBe(401);
  const token = await (await askToken()).text();
  now = new Date(now.getTime() + 61_000);
  expect((await fetch(path, { headers: { "x-aws-ec2-metadata-token": token } })).status).toBe(401);
});

test("a token wants a lifetime, and is not given through a proxy", async () => {
  expect((await askToken({})).status).toBe(400);
  expect((await askToken({ "x-aws-ec2-metadata-token-ttl-seconds": "21601" })).status).toBe(400);
  const proxied = { "x-aws-ec2-metadata-token-ttl-seconds": "60", "x-forwarded-for": "10.0.0.1" };
  expect((await askToken(proxied)).status).toBe(403);
});

test("who is no machine of the environment is told nothing", async () => {
  known = false;
  expect((await askToken()).status).toBe(404);
});
