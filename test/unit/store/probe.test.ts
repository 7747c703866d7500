import { S3ServiceException } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { S3Repositories } from "../../../layers/aws/repositories.ts";
import { asStoreError } from "../../../layers/aws/store-errors.ts";
import type { BackupStore, StoreFault, StoreKeys } from "../../../layers/domain/index.ts";
import { StoreError } from "../../../layers/ports/index.ts";
import { paperSettings } from "../../world/settings.ts";
import {
  credentialsParameter,
  deadPort,
  type Elsewhere,
  openElsewhere,
  openPlain,
  parameters,
} from "./support/elsewhere.ts";

let elsewhere: Elsewhere;
beforeAll(async () => {
  elsewhere = await openElsewhere();
});
afterAll(() => elsewhere[Symbol.asyncDispose]());

const probe = (store: BackupStore, held: unknown = elsewhere.keys): Promise<void> =>
  new S3Repositories(paperSettings, parameters(held === null ? {} : { [credentialsParameter]: held })).probe(
    store,
  );

const everything = { prefix: "", delimiter: "", after: "", max: 100 };
const left = () => elsewhere.objects.list(elsewhere.store.bucket, everything).objects;

/** @returns what it says */
async function expectFault(
  fault: StoreFault,
  change: Partial<BackupStore>,
  held: unknown = elsewhere.keys,
): Promise<string> {
  const error = await probe({ ...elsewhere.store, ...change }, held).then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof StoreError)) throw new Error(`the store was taken, or it ended otherwise: ${error}`);
  expect([error.fault, error.message]).toEqual([fault, expect.any(String)]);
  const secrets = [elsewhere.keys.secretAccessKey, secretOf(held)].filter((one) => one !== "");
  for (const secret of secrets) expect(error.message).not.toContain(secret);
  return error.message;
}

const secretOf = (held: unknown): string =>
  typeof held === "object" && held !== null && "secretAccessKey" in held ? String(held.secretAccessKey) : "";

describe("a store of somebody else's", () => {
  test("that is right is taken, and nothing of the look at it stays there", async () => {
    await probe(elsewhere.store);
    expect(left()).toEqual([]);
  });

  test("is taken with a key that goes with a token, as long as it is valid", async () => {
    await probe(elsewhere.store, elsewhere.session(60));
    expect(await expectFault("key-refused", {}, elsewhere.session(-60))).toContain("ExpiredToken");
  });

  test("is taken without https:// in front of its host", async () => {
    await probe({ ...elsewhere.store, endpoint: elsewhere.store.endpoint.replace("https://", "") });
  });

  test("with a bucket that is not there is refused by that name", async () => {
    const said = await expectFault("bucket-unknown", { bucket: "no-such-bucket" });
    expect(said).toContain('"no-such-bucket"');
  });

  const wrongKeys: [string, (keys: StoreKeys) => StoreKeys, string][] = [
    ["nobody has", (keys) => ({ ...keys, accessKeyId: "AKIANOBODYHASTHISKEY" }), "InvalidAccessKeyId"],
    [
      "goes with another secret",
      (keys) => ({ ...keys, secretAccessKey: "x".repeat(40) }),
      "SignatureDoesNotMatch",
    ],
  ];
  test.each(wrongKeys)("with a key that %s is refused", async (_name, change, answer) => {
    expect(await expectFault("key-refused", {}, change(elsewhere.keys))).toContain(answer);
    expect(left()).toEqual([]);
  });

  test("where nobody listens is refused as one that cannot be reached", async () => {
    const said = await expectFault("unreachable", { endpoint: `https://127.0.0.1:${await deadPort()}` });
    expect(said).toContain("ECONNREFUSED");
  });

  test("whose host has no address is refused as one that cannot be reached", async () => {
    await expectFault("unreachable", { endpoint: "https://nowhere.invalid" });
  });

  test("whose certificate nobody vouches for is refused", async () => {
    await using stranger = await openElsewhere(false);
    const { endpoint } = stranger.store;
    expect(await expectFault("untrusted", { endpoint })).toContain("not trusted");
    expect(stranger.objects.list(stranger.store.bucket, everything).objects).toEqual([]);
  });

  test("whose certificate is for another host is refused", async () => {
    const endpoint = elsewhere.store.endpoint.replace("127.0.0.1", "localhost");
    expect(await expectFault("untrusted", { endpoint })).toContain("ERR_TLS_CERT_ALTNAME_INVALID");
  });

  test("that speaks no TLS is refused, and hears nothing", async () => {
    using plain = await openPlain();
    const said = await expectFault("untrusted", { endpoint: `https://127.0.0.1:${plain.port}` });
    expect(said).toContain("does not speak TLS");
  });

  const unfit: [string, unknown][] = [
    ["is not there", null],
    ["is no JSON", "AKIA:the-secret"],
    ["lacks the secret", { accessKeyId: "AKIA" }],
    ["has something else in it", { accessKeyId: "AKIA", secretAccessKey: "the-secret", region: "x" }],
    ["has a line break in the secret", { accessKeyId: "AKIA", secretAccessKey: "the-secret\nrepo1-path=/" }],
  ];
  test.each(unfit)("whose parameter %s is refused, and nothing of its value is said", async (_name, held) => {
    const said = await expectFault("keys-unfit", {}, held);
    expect(said).toContain(credentialsParameter);
    expect(said).not.toContain("the-secret");
  });
});

const answer = (name: string): Error =>
  new S3ServiceException({ name, $fault: "client", message: "in its own words", $metadata: {} });
const answers: [string, StoreFault][] = [
  ["PermanentRedirect", "other-region"],
  ["AuthorizationHeaderMalformed", "other-region"],
  ["AccessDenied", "key-refused"],
  ["NoSuchBucket", "bucket-unknown"],
  ["RequestTimeTooSkewed", "unfit"],
];
test.each(answers)(
  "a store that answers %s has the fault %s, and is quoted by its code alone",
  (name, fault) => {
    const error = asStoreError(answer(name), elsewhere.store);
    expect(error.fault).toBe(fault);
    expect(error.message).not.toContain("in its own words");
  },
);

test("a store that gives no answer in time cannot be reached", () => {
  const late = new DOMException("it takes too long", "TimeoutError");
  expect(asStoreError(late, elsewhere.store).fault).toBe("unreachable");
});
