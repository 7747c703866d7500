import type { IncomingMessage } from "node:http";
import { ServiceError, serviceError } from "../service.ts";
import { splitUrl } from "../signature.ts";

/** Which call of S3 a request is. */
export interface ObjectCall {
  readonly action: Action;
  readonly bucket: string;
  /** "" for the bucket itself. */
  readonly key: string;
  readonly parameters: URLSearchParams;
}

/** S3's own names: policies and records speak of them. */
export type Action =
  | "ListBuckets"
  | "HeadBucket"
  | "ListObjectsV2"
  | "DeleteObjects"
  | "GetObject"
  | "HeadObject"
  | "PutObject"
  | "DeleteObject"
  | "CreateMultipartUpload"
  | "UploadPart"
  | "CompleteMultipartUpload"
  | "AbortMultipartUpload";

interface Form {
  readonly action: Action;
  readonly method: string;
  readonly of: "service" | "bucket" | "object";
  /** What has to be in the query, and what may be. */
  readonly required: readonly string[];
  readonly optional: readonly string[];
}

const listing = ["prefix", "delimiter", "max-keys", "continuation-token", "start-after", "encoding-type"];

/** Every call that is answered here. Anything else is refused by its name instead of being taken for one of these. */
const forms: readonly Form[] = [
  { action: "ListBuckets", method: "GET", of: "service", required: [], optional: [] },
  { action: "HeadBucket", method: "HEAD", of: "bucket", required: [], optional: [] },
  {
    action: "ListObjectsV2",
    method: "GET",
    of: "bucket",
    required: ["list-type"],
    optional: [...listing, "fetch-owner"],
  },
  { action: "DeleteObjects", method: "POST", of: "bucket", required: ["delete"], optional: [] },
  { action: "GetObject", method: "GET", of: "object", required: [], optional: [] },
  { action: "HeadObject", method: "HEAD", of: "object", required: [], optional: [] },
  { action: "PutObject", method: "PUT", of: "object", required: [], optional: [] },
  { action: "DeleteObject", method: "DELETE", of: "object", required: [], optional: [] },
  { action: "CreateMultipartUpload", method: "POST", of: "object", required: ["uploads"], optional: [] },
  {
    action: "UploadPart",
    method: "PUT",
    of: "object",
    required: ["partNumber", "uploadId"],
    optional: [],
  },
  { action: "CompleteMultipartUpload", method: "POST", of: "object", required: ["uploadId"], optional: [] },
  { action: "AbortMultipartUpload", method: "DELETE", of: "object", required: ["uploadId"], optional: [] },
];

/** In any request: the SDK's name of the call, and what signs a URL. */
const everywhere = /^(x-id|x-amz-.*)$/i;

/** Headers that would change what a call does, and are not known here; of PutObject, `if-none-match: *` is. */
const unknownHeaders = [
  "if-match",
  "if-none-match",
  "if-modified-since",
  "if-unmodified-since",
  "x-amz-copy-source",
];

/** What a request is, for records also when it is refused. */
export function describeRequest(request: IncomingMessage): {
  action: string;
  input: { Bucket: string; Key: string | null; Prefix?: string; Keys?: readonly string[] };
} {
  const { bucket, key, parameters } = partsOf(request);
  const prefix = parameters.get("prefix");
  return {
    action: formOf(request)?.action ?? `${request.method} ${key === "" ? "bucket" : "object"}`,
    input: {
      Bucket: bucket,
      Key: key === "" ? null : key,
      ...(key === "" && prefix !== null ? { Prefix: prefix } : {}),
    },
  };
}

/** @throws {ServiceError} for what nobody calls here, and for a path that is none. */
export function readCall(request: IncomingMessage): ObjectCall {
  const form = formOf(request);
  const header = unknownHeaders.find(
    (name) => request.headers[name] !== undefined && !isNewOnly(form?.action, name, request.headers[name]),
  );
  if (form === undefined || header !== undefined) {
    const what = header ?? `${request.method} with ${splitUrl(request.url ?? "/").query || "no parameters"}`;
    throw new ServiceError("NotImplemented", `The S3 of this environment does not know ${what}.`, 501);
  }
  const { broken, ...parts } = partsOf(request);
  if (broken !== null) throw serviceError({ ...invalidUri, cause: broken });
  return { action: form.action, ...parts };
}

/** What is written only where there is nothing yet. */
function isNewOnly(action: Action | undefined, name: string, value: unknown): boolean {
  return action === "PutObject" && name === "if-none-match" && value === "*";
}

const invalidUri = { code: "InvalidURI", message: "Couldn't parse the specified URI." };

function formOf(request: IncomingMessage): Form | undefined {
  const { bucket, key, parameters } = partsOf(request);
  const of = bucket === "" ? "service" : key === "" ? "bucket" : "object";
  const given = [...parameters.keys()].filter((name) => !everywhere.test(name));
  return forms.find(
    (form) =>
      form.method === request.method &&
      form.of === of &&
      form.required.every((name) => given.includes(name)) &&
      given.every((name) => form.required.includes(name) || form.optional.includes(name)),
  );
}

function partsOf(request: IncomingMessage): {
  bucket: string;
  key: string;
  parameters: URLSearchParams;
  broken: unknown;
} {
  const { path, query } = splitUrl(request.url ?? "/");
  const parameters = new URLSearchParams(query);
  const [bucket = "", ...rest] = path.slice(1).split("/");
  try {
    return { bucket, key: decodeURIComponent(rest.join("/")), parameters, broken: null };
  } catch (broken) {
    return { bucket, key: rest.join("/"), parameters, broken };
  }
}
