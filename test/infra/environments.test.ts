import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { loadConfig } from "../../infra/config/index.ts";
import { checkConfig, type EnvironmentConfig } from "../../infra/config/schema.ts";
import { findStack, resourcesOf, type Stack, synthesizeStages } from "./support/synthesized.ts";

const dev = loadConfig("dev", {});
const config = (name: string, change: Partial<EnvironmentConfig>): EnvironmentConfig =>
  checkConfig(name, { ...dev, name, ...change });
const zones = ["eu-central-1a", "eu-central-1b", "eu-central-1c"];
const nat = { kind: "new" as const, cidr: "10.20.0.0/16", zones, egress: "nat" as const, backupBuckets: [] };
const existing = {
  kind: "existing",
  vpcId: "vpc-0a1b2c3d",
  cidr: "10.30.0.0/16",
  egress: "existing",
  subnets: { "eu-central-1a": "subnet-0a", "eu-central-1b": "subnet-0b" },
} as const;

/** Environments beside `dev`, all in its account and region. */
const configs = [
  dev,
  config("with-domain", {
    api: {
      concurrency: null,
      domain: {
        name: "pgherd.example.com",
        certificateArn: "arn:aws:acm:eu-central-1:111122223333:certificate/5c3a",
        hostedZone: { id: "Z0A1B2", name: "example.com" },
      },
    },
  }),
  config("dev-two", { network: nat }),
  config("one-gateway", { network: { ...nat, natGateways: 1, backupBuckets: ["orders-backups"] } }),
  config("existing", { network: existing }),
  config("with-clusters", {
    clusters: [{ name: "orders", members: 3, tags: { team: "shop" } }, { name: "invoices" }],
  }),
];

const outputsSchema = z.record(z.string(), z.object({ Export: z.object({ Name: z.unknown() }).optional() }));

let stacks: readonly Stack[];
beforeAll(async () => {
  stacks = await synthesizeStages(configs);
});

const network = (stage: string, type: string) =>
  resourcesOf(findStack(stacks, stage, "Nodes"), `AWS::EC2::${type}`);
const nodeBlocks = (stage: string): unknown[] =>
  network(stage, "Subnet")
    .filter(({ id }) => id.includes("nodes"))
    .map(({ Properties }) => Properties["CidrBlock"]);

describe("two environments in one account and region", () => {
  /** Properties that name a resource for its whole account and region. */
  const naming = [
    "FunctionName",
    "LogGroupName",
    "LaunchTemplateName",
    "AliasName",
    "RoleName",
    "BucketName",
    "TableName",
  ];
  const named = [
    "AWS::SSM::Document",
    "AWS::Scheduler::ScheduleGroup",
    "AWS::ApiGatewayV2::Api",
    "AWS::SSM::Parameter",
  ];

  function namesOf(stack: Stack): string[] {
    const outputs = outputsSchema.parse(stack.template["Outputs"] ?? {});
    const exported = Object.values(outputs).flatMap(({ Export }) => Export?.Name ?? []);
    const resources = Object.values(stack.template.Resources).flatMap(({ Type, Properties }) =>
      Object.entries(Properties).flatMap(([property, value]) => {
        const isName = naming.includes(property) || (property === "Name" && named.includes(Type));
        return isName && typeof value === "string" ? [`${Type} ${value}`] : [];
      }),
    );
    return [`stack ${stack.stackName}`, ...exported.map((name) => `export ${String(name)}`), ...resources];
  }

  test("share no name", () => {
    const names = stacks.flatMap(namesOf);
    expect(names.length).toBeGreaterThan(100);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  test("cannot come to share one: where a name is the end of another one, the environment's name is refused", () => {
    const names = stacks
      .filter((stack) => stack.stage === "dev")
      .flatMap(namesOf)
      .flatMap((name) => {
        const [, type = "", own = ""] = /^(\S+) pgherd-dev-([a-z-]+)$/.exec(name) ?? [];
        return own === "" ? [] : [{ type, own }];
      });
    expect(names.length).toBeGreaterThan(20);
    const dangerous = names.flatMap(({ type, own }) =>
      names
        .filter((other) => other.type === type && own.endsWith(`-${other.own}`))
        .map((other) => own.slice(0, -other.own.length - 1)),
    );
    expect(dangerous).toEqual(["rotate"]);
    for (const ending of dangerous) {
      expect(() => config(`dev-${ending}`, {})).toThrow(`name: must not end with -${ending}`);
    }
  });
});

describe("a way out", () => {
  test("through NAT gateways is in each zone, and nodes keep subnets that lead there alone", () => {
    expect(network("dev-two", "NatGateway")).toHaveLength(3);
    expect(network("one-gateway", "NatGateway")).toHaveLength(1);
    for (const { Properties } of network("dev-two", "Subnet")) {
      expect(Properties["MapPublicIpOnLaunch"]).toBe(false);
    }
    expect(network("dev-two", "VPCEndpoint").map(({ Properties }) => Properties["VpcEndpointType"])).toEqual([
      "Gateway",
    ]);
  });

  test("changed for another one leaves the subnets of nodes as they are", () => {
    expect(nodeBlocks("dev-two")).toEqual(["10.20.0.0/18", "10.20.64.0/18", "10.20.128.0/18"]);
    expect(nodeBlocks("dev")).toEqual(nodeBlocks("dev-two"));
    expect(network("dev", "Subnet").map(({ id }) => id)).toEqual(
      network("dev-two", "Subnet")
        .map(({ id }) => id)
        .filter((id) => id.includes("nodes")),
    );
  });

  test("through endpoints is for what nodes call: commands, secrets, their key, and backups", () => {
    const services = network("dev", "VPCEndpoint").map(({ Properties }) =>
      JSON.stringify(Properties["ServiceName"]).replace(/.*\.([a-z0-9]+)"?.*/, "$1"),
    );
    expect(services.toSorted()).toEqual(["kms", "s3", "ssm", "ssmmessages"]);
    expect(network("dev", "NatGateway")).toEqual([]);
  });

  test("to S3 leads to buckets of other accounts that the config names, and there below the environment's prefix", () => {
    const policy = (stage: string) =>
      network(stage, "VPCEndpoint").map(({ Properties }) => JSON.stringify(Properties["PolicyDocument"]));
    const [named, ...others] = policy("one-gateway");
    expect(others).toEqual([]);
    expect(named).toContain('"arn:aws:s3:::orders-backups"');
    expect(named).toContain('"arn:aws:s3:::orders-backups/pgherd/one-gateway/*"');
    expect(policy("dev-two").join()).not.toContain("orders-backups");
  });

  test("of a VPC that was there is left to it: nothing of the network is made but the group of who may watch", () => {
    const types = Object.values(findStack(stacks, "existing", "Nodes").template.Resources).map(
      ({ Type }) => Type,
    );
    expect(types.filter((type) => type.startsWith("AWS::EC2::"))).toEqual(["AWS::EC2::SecurityGroup"]);
    const settings = JSON.stringify(findStack(stacks, "existing", "ControlPlane").template);
    for (const id of ["vpc-0a1b2c3d", "subnet-0a", "subnet-0b"]) expect(settings).toContain(id);
  });
});

describe("an address of the API's own", () => {
  test("leads to the stage that everything else leads to, under the certificate, by a record in the zone", () => {
    const stack = findStack(stacks, "with-domain", "ControlPlane");
    const of = (type: string) => resourcesOf(stack, type).map(({ Properties }) => Properties);
    expect(of("AWS::ApiGatewayV2::DomainName")).toMatchObject([
      {
        DomainName: "pgherd.example.com",
        DomainNameConfigurations: [
          {
            CertificateArn: "arn:aws:acm:eu-central-1:111122223333:certificate/5c3a",
            EndpointType: "REGIONAL",
          },
        ],
      },
    ]);
    expect(of("AWS::ApiGatewayV2::ApiMapping")).toMatchObject([{ Stage: "$default" }]);
    expect(of("AWS::Route53::RecordSet")).toMatchObject([
      { Name: "pgherd.example.com.", Type: "A", HostedZoneId: "Z0A1B2" },
    ]);
    expect(JSON.stringify(stack.template["Outputs"])).toContain('"https://pgherd.example.com"');
  });
});

describe("clusters of a config", () => {
  const resourceSchema = z.looseObject({ Spec: z.string(), IsLast: z.string(), ServiceToken: z.unknown() });

  test("are resources of a stack of their own, made by the environment's functions", () => {
    const clusters = resourcesOf(findStack(stacks, "with-clusters", "Clusters"), "Custom::PgherdCluster");
    const properties = clusters.map((one) => resourceSchema.parse(one.Properties));
    expect(properties.map(({ Spec }) => JSON.parse(Spec))).toEqual([
      { name: "orders", members: 3, tags: { team: "shop" } },
      { name: "invoices" },
    ]);
    for (const { ServiceToken } of properties) {
      expect(JSON.stringify(ServiceToken)).toContain(":function:pgherd-with-clusters-cluster-resource");
    }
    const provider = resourcesOf(findStack(stacks, "with-clusters", "ControlPlane"), "AWS::Lambda::Function");
    expect(provider.map(({ Properties }) => Properties["FunctionName"])).toContain(
      "pgherd-with-clusters-cluster-resource",
    );
  });

  test("are waited for by five resources of an hour each, one after the other", () => {
    const stack = findStack(stacks, "with-clusters", "Clusters");
    const waits = resourcesOf(stack, "Custom::PgherdClusterWait").filter(({ id }) => id.startsWith("orders"));
    expect(waits.map(({ Properties }) => Properties["IsLast"])).toEqual(["false", "false", "false", "true"]);
    for (const { Properties } of waits) expect(Properties["ServiceTimeout"]).toBe("3600");
    const [cluster] = resourcesOf(stack, "Custom::PgherdCluster");
    expect(cluster?.Properties["IsLast"]).toBe("false");
    const before = [cluster?.id, ...waits.map(({ id }) => id)];
    expect(waits.map((wait) => wait["DependsOn"])).toEqual(
      waits.map((_wait, index) => expect.arrayContaining([before[index]])),
    );
  });

  test("of which there is none leave the stack in place, so that the last one can be removed", () => {
    expect(
      Object.values(findStack(stacks, "dev", "Clusters").template.Resources).map(({ Type }) => Type),
    ).toEqual(["AWS::CloudFormation::WaitConditionHandle"]);
  });
});
