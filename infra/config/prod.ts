import type { EnvironmentConfigFile } from "./schema.ts";

export const prodConfig: EnvironmentConfigFile = {
  name: "prod",
  deployer: "cloudformation",
  region: "eu-central-1",
  architecture: "arm64",
  network: {
    kind: "new",
    cidr: "10.22.0.0/16",
    zones: ["eu-central-1a", "eu-central-1b", "eu-central-1c"],
    egress: "endpoints",
  },
  access: { kind: "iam", principals: {} },
  api: { concurrency: 100 },
  diagnostics: true,
  orphanGraceSeconds: 3600,
  defaultClientCidrs: ["10.22.0.0/16"],
  nodeImage: "resolve:ssm:/pgherd/prod/node-image",
  defaultInstanceType: "m7g.large",
  defaultDeletionProtection: true,
  keepData: true,
  logRetentionDays: 365,
};
