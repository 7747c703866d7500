import { expect, test } from "vitest";
import { type CreateClusterBody, completeSpec } from "../../../layers/domain/cluster/create-body.ts";
import { checkLimits } from "../../../layers/domain/cluster/limits.ts";

const spec = (body: Partial<CreateClusterBody> = {}) =>
  completeSpec({ name: "orders", ...body }, { instanceType: "t4g.medium", deletionProtection: false });
const paths = (...asked: Parameters<typeof checkLimits>): string[] =>
  checkLimits(...asked).map(({ path }) => path);

test("an environment without limits gives what is asked for", () => {
  expect(checkLimits(spec({ instanceType: "m8g.48xlarge", members: 9 }))).toEqual([]);
});

test("each field above its limit is named, and what is at the limit is not", () => {
  const limits = { vcpus: 4, storageGiB: 100, nodes: 5 };
  expect(paths(spec({ instanceType: "m7g.xlarge", storage: { sizeGiB: 100 }, members: 5 }), limits)).toEqual(
    [],
  );
  const large = spec({
    instanceType: "m7g.2xlarge",
    storage: { sizeGiB: 101 },
    dcs: { placement: "dedicated", members: 3, instanceType: "m7g.4xlarge" },
  });
  expect(paths(large, limits)).toEqual([
    "/instanceType",
    "/dcs/instanceType",
    "/storage/sizeGiB",
    "/members",
  ]);
});

test("a limit that came later takes nothing from a cluster, and lets it grow no further", () => {
  const limits = { storageGiB: 100 };
  const before = spec({ storage: { sizeGiB: 200 } });
  expect(paths({ ...before, tags: { team: "shop" } }, limits, before)).toEqual([]);
  expect(paths({ ...before, storage: { sizeGiB: 300 } }, limits, before)).toEqual(["/storage/sizeGiB"]);
});
