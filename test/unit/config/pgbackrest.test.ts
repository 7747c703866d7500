import { describe, expect, test } from "vitest";
import {
  archiveCommand,
  renderBackupServerUnit,
  renderPgbackrest,
} from "../../../layers/domain/config/index.ts";
import { clusterId, intentOf, nodeIdOf, peerAt, peersOf } from "./support.ts";

const repository = { bucket: "backups", region: "local-1", prefix: `/clusters/${clusterId}/0` };
const peers = peersOf(3);
const render = (intent = intentOf(), self = peerAt(peers, 0)) =>
  renderPgbackrest(intent, self, repository, { cipherPass: "pass", keys: null });
const settingOf = (text: string, name: string) => new RegExp(`^${name}=(.*)$`, "m").exec(text)?.[1];

describe("pgBackRest's file", () => {
  test("of a three-node cluster, as reviewed", () => expect(render()).toMatchSnapshot());
  test("and its unit", () => expect(renderBackupServerUnit()).toMatchSnapshot());

  test("is encrypted, compressed, bundled and verified, whatever the spec", () => {
    expect(render()).toMatch(/repo1-cipher-type=aes-256-cbc\nrepo1-cipher-pass=pass\n/);
    for (const line of [
      "repo1-bundle=y",
      "repo1-block=y",
      "repo1-storage-verify-tls=y",
      "compress-type=zst",
    ]) {
      expect(render().split("\n")).toContain(line);
    }
  });

  test("has no key of S3: the node's role is asked", () => {
    expect(render()).not.toMatch(/s3-key=|s3-key-secret/);
    expect(settingOf(render(), "repo1-s3-key-type")).toBe("auto");
  });

  test("begins with the node itself, and reaches the shard's other nodes over TLS, and no node without PostgreSQL", () => {
    const proxy = { ...peerAt(peersOf(4), 3), services: ["haproxy" as const] };
    const text = render(intentOf({}, [...peers, proxy]), peerAt(peers, 1));
    expect(settingOf(text, "pg1-host")).toBeUndefined();
    expect(settingOf(text, "pg2-host")).toBe("198.18.0.10");
    expect(settingOf(text, "pg3-host")).toBe("198.18.0.12");
    expect(settingOf(text, "pg4-host")).toBeUndefined();
    expect(text).not.toContain(nodeIdOf(3));
  });

  test("uses no more than half of the processors", () => {
    const processes = (instanceType: string) =>
      Number(settingOf(render(intentOf({ instanceType })), "process-max"));
    expect(processes("m7g.medium")).toBe(1);
    expect(processes("m7g.xlarge")).toBe(2);
    expect(processes("m7g.16xlarge")).toBe(8);
  });
});

describe("pgBackRest's file for a store of somebody else's", () => {
  const keys = { accessKeyId: "AKIAELSEWHERE", secretAccessKey: "s3cret/+=" };
  const foreign = {
    bucket: "somebody-elses",
    region: "elsewhere-1",
    prefix: `/pgherd/test/clusters/${clusterId}/0`,
    store: {
      endpoint: "https://minio.example.com:9000",
      pathStyle: true,
      credentialsParameter: "/pgherd/test/stores/minio",
    },
  };
  const renderForeign = (change: Partial<typeof foreign.store> = {}, more: { sessionToken?: string } = {}) =>
    renderPgbackrest(
      intentOf(),
      peerAt(peers, 0),
      { ...foreign, store: { ...foreign.store, ...change } },
      { cipherPass: "pass", keys: { ...keys, ...more } },
    );

  test("has its endpoint, its bucket and its key, and asks no role", () => {
    const text = renderForeign();
    const expected = {
      "repo1-s3-endpoint": "minio.example.com:9000",
      "repo1-s3-bucket": "somebody-elses",
      "repo1-s3-region": "elsewhere-1",
      "repo1-s3-uri-style": "path",
      "repo1-s3-key-type": "shared",
      "repo1-s3-key": keys.accessKeyId,
      "repo1-s3-key-secret": keys.secretAccessKey,
      "repo1-path": foreign.prefix,
    };
    for (const [name, value] of Object.entries(expected)) expect(settingOf(text, name), name).toBe(value);
    expect(text).not.toMatch(/amazonaws|s3-token/);
  });

  test("is as encrypted and as verified as in the environment's bucket", () => {
    for (const line of [
      "repo1-cipher-type=aes-256-cbc",
      "repo1-cipher-pass=pass",
      "repo1-storage-verify-tls=y",
    ]) {
      expect(renderForeign().split("\n")).toContain(line);
    }
  });

  test("has the bucket in the host name where the store wants it so, and a token where the key has one", () => {
    const text = renderForeign({ pathStyle: false }, { sessionToken: "token" });
    expect(settingOf(text, "repo1-s3-uri-style")).toBe("host");
    expect(settingOf(text, "repo1-s3-token")).toBe("token");
  });

  test("is not written without a key", () => {
    expect(() =>
      renderPgbackrest(intentOf(), peerAt(peers, 0), foreign, { cipherPass: "pass", keys: null }),
    ).toThrow("no keys");
  });
});

test("without a repository WAL goes nowhere, and PostgreSQL can go on", () => {
  expect(archiveCommand(null)).toBe("/bin/true");
  expect(archiveCommand(repository)).toContain('archive-push "%p"');
});
