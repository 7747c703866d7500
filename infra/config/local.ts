import type { EnvironmentConfigFile } from "./schema.ts";

/**
 * One machine. What differs between two state directories comes from variables, so that both run the same template.
 * Without them the template can be read, tested and compared.
 */
export const localInputs = {
  vpcCidr: "PGHERD_LOCAL_VPC_CIDR",
  issuer: "PGHERD_LOCAL_ISSUER",
} as const;

export function localConfig(variables: Readonly<Record<string, string | undefined>>): EnvironmentConfigFile {
  const cidr = variables[localInputs.vpcCidr] ?? "198.18.0.0/22";
  return {
    name: "local",
    deployer: "local",
    account: "000000000000",
    region: "local-1",
    architecture: "x86_64",
    network: { kind: "new", cidr, zones: ["local-1a", "local-1b", "local-1c"], egress: "none" },
    access: {
      kind: "jwt",
      issuer: variables[localInputs.issuer] ?? "http://127.0.0.1/",
      audience: ["pgherd"],
    },
    diagnostics: false,
    orphanGraceSeconds: 120,
    defaultClientCidrs: [cidr],
    monitoringCidrs: [cidr],
    nodeImage: "ami-00010ca1",
    defaultInstanceType: "t4g.small",
    defaultDeletionProtection: false,
    keepData: false,
    logRetentionDays: 7,
  };
}
