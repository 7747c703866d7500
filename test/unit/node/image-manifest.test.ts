import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { imageManifest, imageManifestCharactersMax } from "../../../layers/domain/node/image-manifest.ts";

const image = "ami-0a1b2c3d4e5f67890";
const recipe = "# of nodes\npatroni      4.0.7-*  # gated\n\nhaproxy 3.0.*\n";
const installed = {
  "amazon-ssm-agent": "3.3.4624.0-1",
  haproxy: "3.0.11-1",
  patroni: "4.0.7-1",
  zlib1g: "1:1.3",
};

describe("the manifest of an image", () => {
  test("says the image and what was installed of the packages that its recipe names", () => {
    expect(JSON.parse(imageManifest({ image, installed, recipes: [recipe] }))).toEqual({
      image,
      packages: { "amazon-ssm-agent": "3.3.4624.0-1", haproxy: "3.0.11-1", patroni: "4.0.7-1" },
    });
  });

  test("is not written where a package is missing", () => {
    expect(() => imageManifest({ image, installed, recipes: [recipe, "etcd-server 3.5.*"] })).toThrow(
      "does not have etcd-server",
    );
  });

  test("of today's recipes fits into a standard parameter", async () => {
    const folder = path.join(import.meta.dirname, "../../../infra");
    const recipes = await Promise.all(
      ["node-image", "node-image-aws"].map((name) =>
        readFile(path.join(folder, name, "packages.txt"), "utf8"),
      ),
    );
    // As long as versions in Debian and at PGDG get: with an epoch, a revision and both archives' suffixes.
    const long = new Proxy({}, { get: () => "1:1234.5678.9012-1.pgdg13+1+deb13u1" });
    const manifest = imageManifest({ image, installed: long, recipes });
    expect(manifest).toContain('"postgresql-18-pgvector":');
    expect(manifest.length).toBeLessThan(imageManifestCharactersMax);
  });
});
