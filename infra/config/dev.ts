import type { EnvironmentConfigFile } from "./schema.ts";

export const devConfig: EnvironmentConfigFile = {
  name: "dev",
  deployer: "cloudformation",
  region: "eu-central-1",
  architecture: "arm64",
  network: {
    kind: "new",
    cidr: "10.20.0.0/16",
    zones: ["eu-central-1a", "eu-central-1b", "eu-central-1c"],
    egress: "endpoints",
  },
  access: { kind: "iam", principals: {} },
  diagnostics: true,
  orphanGraceSeconds: 3600,
  defaultClientCidrs: ["10.20.0.0/16"],
  nodeImage: "resolve:ssm:/pgherd/dev/node-image",
  defaultInstanceType: "t4g.medium",
  limits: { vcpus: 8, storageGiB: 200, nodes: 12 },
  defaultDeletionProtection: false,
  keepData: false,
  logRetentionDays: 14,
};
