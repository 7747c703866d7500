import { expect, test } from "vitest";
import { Database } from "./support/database.ts";
import { api, environment } from "./support/world.ts";

test.each([
  { durability: "async", members: 2, standbys: "" },
  { durability: "strict", members: 2, standbys: /nod_/ },
  { durability: "quorum", members: 3, standbys: /^ANY 1 \(/ },
])(
  "$durability: synchronous_standby_names says so, and a replica serves reads",
  async ({ durability, members, standbys }) => {
    const cluster = await api.createAvailable({
      name: `durability-${durability}`,
      members,
      durability,
      storage: { sizeGiB: 1 },
    });
    try {
      await using database = await Database.of(environment, api, cluster.id);
      const names = await database.sql("readWrite", "admin", "SHOW synchronous_standby_names");
      if (standbys === "") expect(names).toBe("");
      else expect(names).toMatch(standbys);
      expect(await database.sql("readOnly", "client", "SELECT pg_is_in_recovery()")).toBe("t");
    } finally {
      await api.remove(cluster.id);
    }
  },
);
