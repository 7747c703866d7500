import { z } from "zod";
import { checkSchedules } from "../../layers/domain/backup/schedule.ts";
import { checkSpec } from "../../layers/domain/cluster/check.ts";
import { completeSpec, createClusterBodySchema } from "../../layers/domain/cluster/create-body.ts";
import { findInstanceType, instanceTypeSummary } from "../../layers/domain/cluster/instance-types.ts";
import { checkLimits, clusterLimitsSchema } from "../../layers/domain/cluster/limits.ts";
import { networkOf } from "../../layers/domain/cluster/network.ts";
import { clientSourcesMax, securityGroupIdSchema } from "../../layers/domain/cluster/spec.ts";

/**
 * One environment. Everything that differs between two deployments is here and nowhere else in `infra/`.
 * Messages say what would be right: a wrong file fails `cdk synth` with them.
 */

const zonesMax = 6;
const principalsMax = 200;
/** A stack has 500 resources, and a cluster takes nine of them. */
const clustersMax = 50;
/** Each takes two of the 60 rules that a security group has, and clients need theirs. */
export const monitoringCidrsMax = 5;
/** Each is a subscription that someone has to confirm. */
const alarmEmailsMax = 20;

/** A policy of an endpoint has at most 20,480 characters; a bucket takes some 200. */
const backupBucketsMax = 50;

const cidrSchema = z
  .cidrv4({ error: "must be an IPv4 block such as 10.20.0.0/16" })
  .refine((cidr) => cidr === networkOf(cidr), {
    error: ({ input }) => `must be a network such as ${networkOf(String(input))}`,
  });
const zoneSchema = z
  .string()
  .regex(/^[a-z]{2,}(-[a-z]+)*-\d+[a-z]$/, "must be the name of an availability zone such as eu-central-1a");
const subnetIdSchema = z
  .string()
  .regex(/^subnet-[0-9a-f]+$/, "must be a subnet's id such as subnet-0a1b2c3d");

const newNetworkSchema = z.strictObject({
  kind: z.literal("new"),
  cidr: cidrSchema,
  zones: z
    .array(zoneSchema)
    .min(1, "must name at least one zone; three or more keep a cluster alive when one fails")
    .max(zonesMax),
  /**
   * How nodes in private subnets reach AWS: VPC endpoints for exactly what they call and no way to anywhere else, NAT
   * gateways, which also lead to stores of others that hold backups, or nothing (local).
   */
  egress: z.enum(["endpoints", "nat", "none"], { error: 'must be "endpoints", "nat" or "none"' }),
  /** With `nat`: one for each of the first zones; fewer than zones cost less, and take the others' way out with theirs. */
  natGateways: z.int().min(1, "must be 1 or more, at most one for each zone").max(zonesMax).optional(),
  /** Of other accounts of AWS, in this region (`backup.store`): the way to S3 leads to the environment's own otherwise. */
  backupBuckets: z
    .array(
      z
        .string()
        .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "must be the name of a bucket such as orders-backups"),
    )
    .max(backupBucketsMax, `must name at most ${backupBucketsMax} buckets`)
    .default([]),
});

const existingNetworkSchema = z.strictObject({
  kind: z.literal("existing"),
  vpcId: z.string().regex(/^vpc-[0-9a-f]+$/, "must be a VPC's id such as vpc-0a1b2c3d"),
  cidr: cidrSchema,
  /** What is there already leads to AWS: SSM (`ssm`, `ssmmessages`), KMS and S3, on port 443. */
  egress: z.literal("existing", { error: 'must be "existing": the VPC is yours' }),
  /** Zone → private subnet for nodes. */
  subnets: z
    .record(zoneSchema, subnetIdSchema)
    .refine((subnets) => Object.keys(subnets).length > 0, "must name at least one zone and its subnet"),
});

const jwtAccessSchema = z.strictObject({
  kind: z.literal("jwt"),
  issuer: z.url({
    protocol: /^https?$/,
    error: "must be the issuer's address such as https://login.example.com/",
  }),
  audience: z.array(z.string().min(1)).min(1, "must name at least one audience that tokens carry in `aud`"),
});

const iamAccessSchema = z.strictObject({
  kind: z.literal("iam"),
  principals: z
    .record(
      z
        .string()
        .regex(
          /^arn:aws[a-z-]*:iam::\d{12}:(role|user)\/.+$/,
          "must be the ARN of a role or user such as arn:aws:iam::111122223333:role/operators",
        ),
      z.enum(["viewer", "operator", "admin"], { error: 'must be "viewer", "operator" or "admin"' }),
    )
    .refine((principals) => Object.keys(principals).length <= principalsMax, {
      error: `must name at most ${principalsMax} principals`,
    }),
});

/** An account without a raised quota has 1,000 in a region, and Lambda refuses to leave fewer than 100 to the others. */
const apiConcurrencyMax = 900;

const apiSchema = z.strictObject({
  /**
   * Most calls that are answered at once. Workflows and reconcilers share the account's functions with the API: a cap
   * keeps a flood of calls from taking what heals clusters. Null: none, for accounts whose quota is too small for one.
   */
  concurrency: z
    .int()
    .min(1)
    .max(apiConcurrencyMax, `must leave 100 of an account's 1,000: at most ${apiConcurrencyMax}`)
    .nullable()
    .default(null),
  /** An address of your own, beside the one that API Gateway gives. */
  domain: z
    .strictObject({
      name: z.hostname({ error: "must be a host's name such as pgherd.example.com" }),
      certificateArn: z
        .string()
        .regex(
          /^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate\/.+$/,
          "must be the ARN of a certificate in ACM, in the environment's region",
        ),
      /** Where a record for the name is made; without it, point one at the output `DomainTarget`. */
      hostedZone: z
        .strictObject({
          id: z.string().regex(/^Z[A-Z0-9]+$/, "must be the id of a zone in Route 53"),
          name: z.hostname(),
        })
        .optional(),
    })
    .optional(),
});
export type ApiConfig = z.infer<typeof apiSchema>;

export const environmentConfigSchema = z.strictObject({
  name: z
    .string()
    .regex(
      /^[a-z][a-z0-9-]{0,18}[a-z0-9]$/,
      "must be 2 to 20 characters: a lower-case letter first, then lower-case letters, digits and hyphens, no hyphen last",
    )
    // The function `certificates` of `dev-rotate` would have the name of `rotate-certificates` of `dev`.
    .refine(
      (name) => !name.endsWith("-rotate"),
      "must not end with -rotate: other environments use such names",
    ),
  /** What carries the template out: "local" leaves out what only CloudFormation or CloudWatch has a use for. */
  deployer: z.enum(["cloudformation", "local"]),
  /** The account of the caller's credentials where none is named. */
  account: z
    .string()
    .regex(/^\d{12}$/, 'must be twelve digits in quotes such as "111122223333"')
    .optional(),
  region: z.string().regex(/^[a-z]{2,}(-[a-z]+)*-\d+$/, "must be a region such as eu-central-1"),
  architecture: z.enum(["arm64", "x86_64"], { error: 'must be "arm64" or "x86_64"' }),
  network: z.discriminatedUnion("kind", [newNetworkSchema, existingNetworkSchema], {
    error: 'must have kind "new" (a VPC of its own) or "existing" (your VPC and subnets)',
  }),
  access: z.discriminatedUnion("kind", [jwtAccessSchema, iamAccessSchema], {
    error: 'must have kind "iam" (callers sign with SigV4) or "jwt" (an issuer\'s tokens)',
  }),
  api: apiSchema.default({ concurrency: null }),
  /** A queue of events that no function could take, where nobody looks on. */
  diagnostics: z.boolean(),
  /** Who may reach a cluster whose spec names nobody in `access`. */
  defaultClientCidrs: z
    .array(cidrSchema)
    .min(1, "must name at least one block; the VPC's own is the usual choice")
    .max(clientSourcesMax, `must name at most ${clientSourcesMax} blocks`)
    .refine((cidrs) => !cidrs.includes("0.0.0.0/0"), "must not be 0.0.0.0/0: a database is not for everyone"),
  /**
   * Who may read nodes' metrics, beside members of the security group that the environment has for it: whatever
   * cannot be a member, such as a Prometheus in another network.
   */
  monitoringCidrs: z
    .array(cidrSchema)
    .max(monitoringCidrsMax, `must name at most ${monitoringCidrsMax} blocks`)
    .refine((cidrs) => !cidrs.includes("0.0.0.0/0"), "must not be 0.0.0.0/0: metrics are not for everyone")
    .default([]),
  nodeImage: z
    .string()
    .regex(
      /^(ami-[0-9a-f]+|resolve:ssm:\/[A-Za-z0-9_./-]+)$/,
      "must be an image's id (ami-…) or a parameter that holds it (resolve:ssm:/…)",
    ),
  /** Where the node image is made; without it in the account's default VPC. It needs Debian's archive and PostgreSQL's. */
  imageBuild: z
    .strictObject({
      subnetId: subnetIdSchema,
      securityGroupId: securityGroupIdSchema,
    })
    .optional(),
  defaultInstanceType: z
    .string()
    .refine((name) => findInstanceType(name) !== undefined, `must be one of ${instanceTypeSummary}`),
  /** How long something with our tags that nothing on record owns stays after it was reported. */
  orphanGraceSeconds: z.int().min(60, "must leave at least a minute to look at it"),
  /** Of clusters whose spec does not say. */
  defaultDeletionProtection: z.boolean(),
  /** The most that one cluster may have: machines' vCPUs, volumes' GiB, nodes. */
  limits: clusterLimitsSchema.optional(),
  /** What holds data survives the deletion of its stack, which takes a deliberate act. */
  keepData: z.boolean(),
  /** Who learns of alarms. None by default: an address has to confirm its subscription before it gets a mail. */
  alarms: z
    .strictObject({
      emails: z
        .array(z.email({ error: "must be an address such as oncall@example.com" }))
        .max(alarmEmailsMax, `must name at most ${alarmEmailsMax} addresses; a distribution list takes more`),
    })
    .default({ emails: [] }),
  /** Clusters that a deployment makes and changes: bodies of a create. */
  clusters: z
    .array(createClusterBodySchema)
    .max(clustersMax, `must name at most ${clustersMax} clusters; the API makes any number`)
    .default([]),
  logRetentionDays: z.union(
    [z.literal(1), z.literal(7), z.literal(14), z.literal(30), z.literal(90), z.literal(365)],
    {
      error: "must be 1, 7, 14, 30, 90 or 365",
    },
  ),
});
export type EnvironmentConfig = z.infer<typeof environmentConfigSchema>;
/** A config as its file writes it: what has a default may be left out. */
export type EnvironmentConfigFile = z.input<typeof environmentConfigSchema>;
export type NetworkConfig = EnvironmentConfig["network"];
export type AccessConfig = EnvironmentConfig["access"];

/** A config file that cannot be deployed: one line per field, with what would be right. */
export class ConfigError extends Error {
  constructor(file: string, issues: readonly z.core.$ZodIssue[]) {
    const lines = issues.map((issue) => `  ${issue.path.join(".") || "(the file)"}: ${issue.message}`);
    super(`${file} is not right:\n${lines.join("\n")}`);
    this.name = "ConfigError";
  }
}

/** @throws {ConfigError} naming every wrong field. */
export function checkConfig(file: string, config: unknown): EnvironmentConfig {
  const result = environmentConfigSchema.safeParse(config);
  if (!result.success) {
    throw new ConfigError(file, result.error.issues);
  }
  checkZones(file, result.data);
  checkNat(file, result.data.network);
  checkClusters(file, result.data);
  return result.data;
}

/** What a create would refuse, before anything is deployed. */
function checkClusters(file: string, config: EnvironmentConfig): void {
  const {
    clusters,
    defaultDeletionProtection: deletionProtection,
    defaultInstanceType: instanceType,
  } = config;
  const issues = clusters.flatMap((body, index) => {
    const spec = completeSpec(body, { instanceType, deletionProtection });
    const { schedules } = spec.backup;
    const errors = [
      ...checkSpec(spec).errors,
      ...checkLimits(spec, config.limits),
      ...checkSchedules(schedules),
    ];
    const isTaken = clusters.findIndex(({ name }) => name === body.name) < index;
    const found = errors.map(({ path, message }) => ({ path: path.split("/").slice(1), message }));
    return [
      ...found,
      ...(isTaken ? [{ path: ["name"], message: `${body.name} is another one's already` }] : []),
    ].map(({ path, message }) => asIssue(["clusters", index, ...path], message));
  });
  if (config.deployer === "local" && clusters.length > 0) {
    issues.push(asIssue(["clusters"], "must be left out: CloudFormation makes them; locally, call the API"));
  }
  if (issues.length > 0) throw new ConfigError(file, issues);
}

const asIssue = (path: (string | number)[], message: string): z.core.$ZodIssue => ({
  code: "custom",
  path,
  message,
  input: undefined,
});

function checkNat(file: string, network: NetworkConfig): void {
  if (network.kind === "existing" || network.natGateways === undefined) return;
  const message =
    network.egress === "nat"
      ? `must be at most ${network.zones.length}, one for each zone`
      : 'must be left out: it belongs to egress "nat"';
  if (network.egress === "nat" && network.natGateways <= network.zones.length) return;
  throw new ConfigError(file, [asIssue(["network", "natGateways"], message)]);
}

function checkZones(file: string, config: EnvironmentConfig): void {
  const zones = config.network.kind === "new" ? config.network.zones : Object.keys(config.network.subnets);
  const wrong = zones.find((zone) => zone.slice(0, -1) !== config.region);
  if (wrong !== undefined) {
    const field = config.network.kind === "new" ? "zones" : "subnets";
    const message = `${wrong} is not in the region ${config.region}: name zones such as ${config.region}a`;
    throw new ConfigError(file, [asIssue(["network", field], message)]);
  }
}
