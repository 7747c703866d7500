import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dynamicDrift } from "../../../layers/domain/config/dynamic-drift.ts";
import { dynamicConfiguration, dynamicConfigurationPatch } from "../../../layers/domain/config/index.ts";
import { specOf } from "./support.ts";

/** RFC 7396, as Patroni applies it. */
function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const base = typeof target === "object" && target !== null && !Array.isArray(target) ? target : {};
  const result: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merged(result[key], value);
  }
  return result;
}

const specs = fc
  .record({
    durability: fc.constantFrom("async", "sync", "strict", "quorum"),
    profile: fc.constantFrom("fast", "standard", "cautious"),
    connections: fc.option(fc.integer({ min: 50, max: 400 }), { nil: undefined }),
  })
  .map(({ durability, profile, connections }) =>
    specOf({
      durability,
      failover: { profile },
      ...(connections === undefined ? {} : { parameters: { max_connections: connections } }),
    }),
  );

describe("the patch of Patroni's dynamic configuration", () => {
  test("takes the configuration of any spec to that of any other, and then there is nothing left", () => {
    fc.assert(
      fc.property(specs, specs, (before, after) => {
        const current = dynamicConfiguration(before);
        const patched = merged(current, dynamicConfigurationPatch(current, after) ?? {});
        expect(patched).toEqual(JSON.parse(JSON.stringify(dynamicConfiguration(after))));
        expect(dynamicConfigurationPatch(patched, after)).toBeNull();
      }),
    );
  });

  test("says only what differs", () => {
    const current = dynamicConfiguration(specOf());
    expect(dynamicConfigurationPatch(current, specOf({ failover: { profile: "fast" } }))).toEqual({
      ttl: 7,
      retry_timeout: 2,
    });
  });

  test("leaves a pause alone, and takes away what the spec does not ask for", () => {
    const wanted = JSON.parse(JSON.stringify(dynamicConfiguration(specOf())));
    wanted.pause = true;
    wanted.check_timeline = true;
    wanted.postgresql.remove_data_directory_on_diverged_timelines = true;
    wanted.postgresql.parameters.max_stack_depth = "1MB";
    expect(dynamicConfigurationPatch(wanted, specOf())).toEqual({
      check_timeline: null,
      postgresql: {
        remove_data_directory_on_diverged_timelines: null,
        parameters: { max_stack_depth: null },
      },
    });
  });

  test("of anything that is there leaves no drift, and where there is no drift there is nothing to change", () => {
    const extra = fc.dictionary(
      fc.constantFrom("ttl", "check_timeline", "slots", "synchronous_node_count", "postgresql"),
      fc.oneof(fc.integer(), fc.constant({ parameters: { work_mem: "1MB" } })),
    );
    fc.assert(
      fc.property(specs, extra, (spec, more) => {
        const current = { ...dynamicConfiguration(spec), ...more };
        const wanted = dynamicConfiguration(spec);
        const patch = dynamicConfigurationPatch(current, spec);
        expect(patch === null).toBe(dynamicDrift(wanted, current).length === 0);
        expect(dynamicDrift(wanted, merged(current, patch ?? {}))).toEqual([]);
      }),
    );
  });

  test("makes as many standbys synchronous as asked, until it is applied without", () => {
    const current = dynamicConfiguration(specOf());
    const widened = dynamicConfigurationPatch(current, specOf(), 4);
    expect(widened).toEqual({ synchronous_node_count: 4 });
    expect(dynamicConfigurationPatch(merged(current, widened), specOf())).toEqual({
      synchronous_node_count: 1,
    });
  });

  test("a configuration that is empty or not an object gets everything", () => {
    for (const current of [null, {}, [], "ttl"])
      expect(dynamicConfigurationPatch(current, specOf())).toEqual(
        JSON.parse(JSON.stringify(dynamicConfiguration(specOf()))),
      );
  });
});
