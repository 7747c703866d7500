import { createHash } from "node:crypto";
import type { Properties, ResourceType } from "../targets.ts";
import { listOf, objectOf, optionalText, textOf } from "./properties.ts";

/** DynamoDB takes names of 3 to 255 characters; stack and logical id keep it readable. */
function nameOf(key: string): string {
  return key.replace("/", "-");
}

/** The key that S3 encrypts a bucket's objects with, where it is not one of AWS's own. */
function keyOfBucket(properties: Properties): string | null {
  const rules = listOf(
    objectOf(properties, "BucketEncryption"),
    "ServerSideEncryptionConfiguration",
  ) as readonly Properties[];
  const [key] = rules.flatMap(
    (rule) => optionalText(objectOf(rule, "ServerSideEncryptionByDefault"), "KMSMasterKeyID") ?? [],
  );
  return key ?? null;
}

/** Where state and secrets lie. */
export const dataResources: Readonly<Record<string, ResourceType>> = {
  "AWS::DynamoDB::Table": {
    make: async (properties, { targets, key }) => {
      const name = optionalText(properties, "TableName") ?? nameOf(key);
      await targets.tables.ensureTable(name, properties);
      const arn = `arn:aws:dynamodb:${targets.region}:${targets.account}:table/${name}`;
      return { ref: name, attributes: { Arn: arn } };
    },
    remove: (name, targets) => targets.tables.deleteTable(name),
  },
  "AWS::S3::Bucket": {
    make: async (properties, { targets, collected, key }) => {
      const name = optionalText(properties, "BucketName") ?? nameOf(key).toLowerCase();
      await targets.objects.ensureBucket(name);
      const keyArn = keyOfBucket(properties);
      if (keyArn !== null) collected.bucketKeys.set(name, keyArn);
      return { ref: name, attributes: { Arn: `arn:aws:s3:::${name}` } };
    },
  },
  // Secrets are sealed with the environment's own key (local/endpoints/ssm/vault.ts); the id only names it.
  "AWS::KMS::Key": {
    make: (_properties, { targets, key }) => {
      const hex = createHash("sha256").update(key).digest("hex");
      const id = [
        hex.slice(0, 8),
        hex.slice(8, 12),
        hex.slice(12, 16),
        hex.slice(16, 20),
        hex.slice(20, 32),
      ].join("-");
      return {
        ref: id,
        attributes: { KeyId: id, Arn: `arn:aws:kms:${targets.region}:${targets.account}:key/${id}` },
      };
    },
  },
  "AWS::KMS::Alias": {
    make: (properties) => ({ ref: textOf(properties, "AliasName"), attributes: {} }),
  },
  "AWS::SSM::Document": {
    make: (properties, { targets, key }) => {
      const name = optionalText(properties, "Name") ?? nameOf(key);
      targets.ssm.putDocument(name, properties["Content"]);
      return { ref: name, attributes: {} };
    },
    remove: (name, targets) => targets.ssm.deleteDocument(name),
  },
};
