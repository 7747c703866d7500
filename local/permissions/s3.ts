import { isObject } from "../endpoints/input.ts";
import { type Asking, plain, type Question, type Surroundings } from "./use.ts";

/** S3's calls of an object and what IAM calls them. */
const ofObjects: Readonly<Record<string, string>> = {
  GetObject: "GetObject",
  HeadObject: "GetObject",
  PutObject: "PutObject",
  CreateMultipartUpload: "PutObject",
  UploadPart: "PutObject",
  CompleteMultipartUpload: "PutObject",
  AbortMultipartUpload: "AbortMultipartUpload",
  DeleteObject: "DeleteObject",
};

/** A multipart upload is decrypted to be put together. */
const decrypts: readonly string[] = ["GetObject", "HeadObject", "UploadPart", "CompleteMultipartUpload"];

export const questionsOfS3: Asking = (action, input, surroundings) => {
  const bucket = `arn:aws:s3:::${textOr(input["Bucket"], "")}`;
  const ofObject = ofObjects[action];
  if (ofObject !== undefined) {
    const object = plain(`s3:${ofObject}`, `${bucket}/${textOr(input["Key"], "")}`);
    return [object, ...questionsOfKey(action, ofObject, bucket, surroundings)];
  }
  switch (action) {
    case "HeadBucket":
      return [plain("s3:ListBucket", bucket)];
    case "ListObjectsV2": {
      const prefix = input["Prefix"];
      return [
        {
          action: "s3:ListBucket",
          resource: bucket,
          circumstances: typeof prefix === "string" ? { "s3:prefix": prefix } : {},
        },
      ];
    }
    case "DeleteObjects":
      return textsOf(input["Keys"]).map((key) => plain("s3:DeleteObject", `${bucket}/${key}`));
    case "ListBuckets":
      return [plain("s3:ListAllMyBuckets", "*")];
    default:
      return [plain(`s3:${action}`, bucket)];
  }
};

/** S3 uses the key of a bucket with the rights of the caller, and one data key for many objects of the bucket. */
function questionsOfKey(
  call: string,
  action: string,
  bucket: string,
  { keyOfBucket, region }: Surroundings,
): Question[] {
  const key = keyOfBucket(bucket.slice(bucket.lastIndexOf(":") + 1));
  if (key === null) return [];
  const circumstances = {
    "kms:ViaService": `s3.${region}.amazonaws.com`,
    "kms:EncryptionContext:aws:s3:arn": bucket,
  };
  return [
    ...(action === "PutObject" ? [{ action: "kms:GenerateDataKey", resource: key, circumstances }] : []),
    ...(decrypts.includes(call) ? [{ action: "kms:Decrypt", resource: key, circumstances }] : []),
  ];
}

/** S3 says that an object is not there only to those who may list the bucket; the others are denied. */
export function questionsOfMissingObject(input: unknown): readonly Question[] {
  const bucket = isObject(input) ? textOr(input["Bucket"], "") : "";
  return [plain("s3:ListBucket", `arn:aws:s3:::${bucket}`)];
}

function textOr(value: unknown, otherwise: string): string {
  return typeof value === "string" ? value : otherwise;
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}
