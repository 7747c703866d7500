import { z } from "zod";
import { findInstanceType, instanceTypeSummary } from "../../layers/domain/cluster/instance-types.ts";

/**
 * One environment. Everything that differs between two deployments is here and nowhere else in `infra/`.
 * Messages say what would be right: a wrong file fails `cdk synth` with them.
 */

const zonesMax = 6;
const principalsMax = 200;
/** Each is a subscription that someone has to confirm. */
const alarmEmailsMax = 20;

const cidrSchema = z.cidrv4({ error: "must be an IPv4 block such as 10.20.0.0/16" });
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
  /** How nodes in private subnets reach AWS: VPC endpoints for exactly what they call, or nothing (local). */
  egress: z.enum(["endpoints", "none"], { error: 'must be "endpoints" or "none"' }),
});

const existingNetworkSchema = z.strictObject({
  kind: z.literal("existing"),
  vpcId: z.string().regex(/^vpc-[0-9a-f]+$/, "must be a VPC's id such as vpc-0a1b2c3d"),
  cidr: cidrSchema,
  /** Zone → private subnet for nodes. The VPC must let them reach SSM, KMS and S3. */
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

export const environmentConfigSchema = z.strictObject({
  name: z
    .string()
    .regex(
      /^[a-z][a-z0-9-]{0,18}[a-z0-9]$/,
      "must be 2 to 20 characters: a lower-case letter first, then lower-case letters, digits and hyphens, no hyphen last",
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
  /** Who may reach a cluster whose spec names no `access.cidrs`. */
  defaultClientCidrs: z
    .array(cidrSchema)
    .min(1, "must name at least one block; the VPC's own is the usual choice")
    .refine((cidrs) => !cidrs.includes("0.0.0.0/0"), "must not be 0.0.0.0/0: a database is not for everyone"),
  nodeImage: z
    .string()
    .regex(
      /^(ami-[0-9a-f]+|resolve:ssm:\/[A-Za-z0-9_./-]+)$/,
      "must be an image's id (ami-…) or a parameter that holds it (resolve:ssm:/…)",
    ),
  defaultInstanceType: z
    .string()
    .refine((name) => findInstanceType(name) !== undefined, `must be one of ${instanceTypeSummary}`),
  /** How long something with our tags that nothing on record owns stays after it was reported. */
  orphanGraceSeconds: z.int().min(60, "must leave at least a minute to look at it"),
  /** Of clusters whose spec does not say. */
  defaultDeletionProtection: z.boolean(),
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
  return result.data;
}

function checkZones(file: string, config: EnvironmentConfig): void {
  const zones = config.network.kind === "new" ? config.network.zones : Object.keys(config.network.subnets);
  const wrong = zones.find((zone) => zone.slice(0, -1) !== config.region);
  if (wrong !== undefined) {
    throw new ConfigError(file, [
      {
        code: "custom",
        path: ["network", config.network.kind === "new" ? "zones" : "subnets"],
        message: `${wrong} is not in the region ${config.region}: name zones such as ${config.region}a`,
        input: zones,
      },
    ]);
  }
}
