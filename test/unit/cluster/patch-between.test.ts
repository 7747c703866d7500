import { expect, test } from "vitest";
import { type CreateClusterBody, completeSpec } from "../../../layers/domain/cluster/create-body.ts";
import { patchBetween, patchClusterBodySchema, patchSpec } from "../../../layers/domain/cluster/patch.ts";

const defaults = { instanceType: "t4g.medium", deletionProtection: true };
const bodies: readonly CreateClusterBody[] = [
  { name: "orders" },
  {
    name: "orders",
    members: 5,
    dcs: { members: 5 },
    extensions: ["vector"],
    tags: { team: "shop", tier: "1" },
  },
  {
    name: "orders",
    members: 1,
    parameters: { work_mem: "8MB" },
    tags: { team: "shop" },
    deletionProtection: false,
  },
  {
    name: "orders",
    dcs: { placement: "dedicated", members: 3, instanceType: "t4g.micro" },
    proxy: { placement: "dedicated", count: 3, instanceType: "t4g.small" },
    access: { cidrs: ["10.0.0.0/8"] },
  },
  {
    name: "orders",
    backup: {
      schedules: { full: null, logical: "0 3 * * *" },
      retention: { full: 2 },
      drill: { cron: "0 5 * * 1", tables: ["public.orders"] },
      verify: null,
    },
    pooler: { enabled: false },
  },
];
const specs = bodies.map((body) => completeSpec(body, defaults));
const pairs = specs.flatMap((before, from) => specs.map((after, to) => ({ before, after, from, to })));

test.each(pairs)(
  "the patch between specs $from and $to is one that PATCH takes and makes one the other",
  (pair) => {
    const patch = patchBetween(pair.before, pair.after);
    expect(patchClusterBodySchema.safeParse(patch)).toMatchObject({ success: true });
    expect(patchSpec(pair.before, patch, defaults)).toEqual({ ok: true, spec: pair.after });
  },
);

test("between a spec and itself there is no patch", () => {
  for (const spec of specs) expect(patchBetween(spec, spec)).toEqual({});
});
