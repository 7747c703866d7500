import { describe, expect, test } from "vitest";
import {
  clusterOfNodeRole,
  type NodeRights,
  nodePolicy,
  nodeRoleName,
  nodeRolePath,
} from "../../../layers/domain/cluster/node-role.ts";
import { settings } from "../../api/support/world.ts";

const own = "clu_01JD0000000000000000000000";
const other = "clu_01JD0000000000000000000001";
const alone: NodeRights = { clusterId: own, store: null, source: null };
/** As long as a config lets it be. */
const environment = "e".repeat(20);
const longest = {
  ...settings,
  environment,
  region: "ap-southeast-1",
  keyId: `arn:aws:kms:ap-southeast-1:123456789012:key/${"0".repeat(36)}`,
  backups: { bucket: "b".repeat(63) },
  nodeProgram: { ...settings.nodeProgram, bucket: "a".repeat(63), key: `pgherd/${environment}/node.cjs` },
};
const store = (name: string) => ({
  endpoint: "store.example.com",
  bucket: "backups",
  region: "us-east-1",
  pathStyle: true,
  credentialsParameter: `/pgherd/${environment}/stores/${name.padEnd(128, "x")}`,
});

describe("the role of a cluster's nodes", () => {
  test("has a name that IAM takes, and that says whose it is", () => {
    const name = nodeRoleName(environment, own);
    expect(name).toMatch(/^[\w+=,.@-]{1,64}$/);
    expect(clusterOfNodeRole(environment, name)).toBe(own);
    expect(nodeRolePath(environment)).toMatch(/^\/[\x21-\x7e]{1,510}\/$/);
  });

  test.each([nodeRoleName("prod", own), "Administrator", `x${nodeRoleName(environment, own)}`])(
    "is not taken for the one that is called %s",
    (name) => {
      expect(clusterOfNodeRole(environment, name)).toBeNull();
    },
  );

  test("has a policy that fits into what IAM takes of a role, with the longest of all names", () => {
    const rights = { ...alone, store: store("ours"), source: { clusterId: other, store: store("theirs") } };
    const text = JSON.stringify(nodePolicy(longest, rights)).replace(/\s/g, "");
    expect(text.length).toBeLessThan(10_240 / 2);
  });

  test("says nothing of any other cluster, and of a source no more than it takes to read its backups", () => {
    expect(JSON.stringify(nodePolicy(longest, alone)).match(/clu_[0-9A-Z]{26}|clu_\*/g)).toEqual(
      Array(6).fill(own),
    );
    const policy = nodePolicy(longest, { ...alone, source: { clusterId: other, store: null } });
    const about = policy.Statement.filter((statement) => JSON.stringify(statement).includes(other));
    expect(about.flatMap(({ Action }) => Action).toSorted()).toEqual([
      "kms:Decrypt",
      "s3:GetObject",
      "s3:ListBucket",
      "s3:ListBucketMultipartUploads",
      "ssm:GetParameters",
    ]);
    const secrets = about.flatMap(({ Resource }) => Resource).filter((arn) => arn.includes(":parameter/"));
    expect(secrets.filter((arn) => arn.includes(other))).toEqual([
      expect.stringMatching(new RegExp(`/${other}/backup/cipher-pass$`)),
    ]);
  });

  test("gives no parameter away that is none of a store's keys", () => {
    const stolen = { ...store("x"), credentialsParameter: `/pgherd/${environment}/${other}/users/admin` };
    expect(() => nodePolicy(longest, { ...alone, store: stolen })).toThrow("no parameter of a store");
  });
});
