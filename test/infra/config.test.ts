import { describe, expect, test } from "vitest";
import { loadConfig, stageNames } from "../../infra/config/index.ts";
import { ConfigError, checkConfig } from "../../infra/config/schema.ts";

const right = loadConfig("dev", {});

/** A change that makes a config wrong → what the answer has to say: the field, and what would be right. */
const wrong = [
  ["a region that is none", { region: "Frankfurt" }, "region: must be a region such as eu-central-1"],
  ["an account without quotes", { account: 111122223333 }, "account: "],
  ["a short account", { account: "1234" }, 'account: must be twelve digits in quotes such as "111122223333"'],
  ["a name with capitals", { name: "Dev" }, "name: must be 2 to 20 characters"],
  [
    "a block that is none",
    { network: { ...right.network, cidr: "10.0.0.0/99" } },
    "network.cidr: must be an IPv4 block such as 10.20.0.0/16",
  ],
  [
    "an address with the length of a network",
    { network: { ...right.network, cidr: "10.0.0.1/16" } },
    "network.cidr: must be a network such as 10.0.0.0/16",
  ],
  ["no zone", { network: { ...right.network, zones: [] } }, "network.zones: must name at least one zone"],
  [
    "a zone of another region",
    { network: { ...right.network, zones: ["us-east-1a"] } },
    "network.zones: us-east-1a is not in the region eu-central-1: name zones such as eu-central-1a",
  ],
  [
    "another kind of network",
    { network: { kind: "none" } },
    'must have kind "new" (a VPC of its own) or "existing"',
  ],
  [
    "an existing network without subnets",
    { network: { kind: "existing", vpcId: "vpc-1", cidr: "10.0.0.0/16", egress: "existing", subnets: {} } },
    "network.subnets: must name at least one zone and its subnet",
  ],
  [
    "another way out",
    { network: { ...right.network, egress: "internet" } },
    'network.egress: must be "endpoints", "nat" or "none"',
  ],
  [
    "more NAT gateways than zones",
    { network: { ...right.network, egress: "nat", natGateways: 4 } },
    "network.natGateways: must be at most 3, one for each zone",
  ],
  [
    "NAT gateways that nobody uses",
    { network: { ...right.network, natGateways: 1 } },
    'network.natGateways: must be left out: it belongs to egress "nat"',
  ],
  ["a cluster without a name", { clusters: [{ members: 3 }] }, "clusters.0.name: "],
  [
    "a cluster that cannot be made",
    { clusters: [{ name: "orders", members: 1, durability: "strict" }] },
    "clusters.0.durability: strict waits for a standby on every commit",
  ],
  [
    "a cluster on a machine that does not exist",
    { clusters: [{ name: "orders" }, { name: "invoices", instanceType: "t4g.giant" }] },
    "clusters.1.instanceType: ",
  ],
  [
    "a cluster above the environment's limits",
    { limits: { vcpus: 2 }, clusters: [{ name: "orders", instanceType: "m7g.xlarge" }] },
    "clusters.0.instanceType: m7g.xlarge has 4 vCPUs, and this environment gives a node 2 at most",
  ],
  [
    "two clusters of one name",
    { clusters: [{ name: "orders" }, { name: "orders" }] },
    "clusters.1.name: orders is another one's already",
  ],
  [
    "clusters where CloudFormation does not deploy",
    { deployer: "local", clusters: [{ name: "orders" }] },
    "clusters: must be left out: CloudFormation makes them",
  ],
  [
    "databases open to everyone",
    { defaultClientCidrs: ["0.0.0.0/0"] },
    "defaultClientCidrs: must not be 0.0.0.0/0: a database is not for everyone",
  ],
  [
    "metrics open to everyone",
    { monitoringCidrs: ["0.0.0.0/0"] },
    "monitoringCidrs: must not be 0.0.0.0/0: metrics are not for everyone",
  ],
  [
    "an issuer without tokens for anyone",
    { access: { kind: "jwt", issuer: "https://login.example.com/", audience: [] } },
    "access.audience: must name at least one audience that tokens carry in `aud`",
  ],
  [
    "a principal that is no ARN",
    { access: { kind: "iam", principals: { alice: "admin" } } },
    "access.principals.alice: ",
  ],
  [
    "an image by its name",
    { nodeImage: "debian" },
    "nodeImage: must be an image's id (ami-…) or a parameter",
  ],
  [
    "an Intel machine",
    { defaultInstanceType: "m7i.large" },
    "defaultInstanceType: must be one of t4g.micro to",
  ],
  [
    "an alarm for nobody's address",
    { alarms: { emails: ["oncall"] } },
    "alarms.emails.0: must be an address such as oncall@example.com",
  ],
  ["a field that does not exist", { regoin: "eu-central-1" }, 'Unrecognized key: "regoin"'],
] as const;

describe("a wrong config fails the synthesis with the file, the field and what would be right", () => {
  test.each(wrong)("%s", (_what, change, answer) => {
    const check = () => checkConfig("infra/config/dev.ts", { ...right, ...change });
    expect(check).toThrow(ConfigError);
    expect(check).toThrow("infra/config/dev.ts is not right:");
    expect(check).toThrow(answer);
  });

  test("every wrong field is named at once", () => {
    const check = () => checkConfig("infra/config/dev.ts", { ...right, region: 1, nodeImage: "x" });
    expect(check).toThrow("region: ");
    expect(check).toThrow("nodeImage: ");
  });

  test("a variable of the local stage that is wrong is named, too", () => {
    expect(() => loadConfig("local", { PGHERD_LOCAL_VPC_CIDR: "everything" })).toThrow(
      "network.cidr: must be",
    );
  });
});

test.each(stageNames)("the config of %s is right", (stage) => {
  expect(loadConfig(stage, {}).name).toBe(stage);
});
