import type { EnvironmentSettings } from "../../layers/domain/index.ts";

/** What an environment's template might say; a test replaces what it looks at. */
export const paperSettings: EnvironmentSettings = {
  environment: "test",
  vpcId: "vpc-1",
  subnets: {},
  launchTemplateId: "lt-1",
  defaultInstanceType: "t4g.medium",
  defaultDeletionProtection: false,
  defaultClientCidrs: ["198.18.0.0/22"],
  monitoring: { securityGroupId: "sg-0", cidrs: [] },
  orphanGraceSeconds: 120,
  nodeProgram: { bucket: "assets", key: "programs/node.cjs", sha256: "0".repeat(64) },
  nodeDocument: "pgherd-test-node",
  nodeRoles: {
    partition: "aws",
    account: "000000000000",
    boundaryArn: "arn:aws:iam::000000000000:policy/nodes",
  },
  backups: { bucket: "backups" },
  schedules: { group: "pgherd-test-clusters", targetArn: "target", roleArn: "role" },
  keyId: "key",
  workflows: {},
  principals: {},
};
