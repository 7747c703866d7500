import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  branchOf,
  inPlaceCourseSchema,
  lackOfRoom,
  whoGoesBack,
  withBranch,
} from "../../../layers/domain/index.ts";
import { specOf } from "../config/support.ts";
import { idOf, minute } from "./support/backups.ts";

const gib = 1024 ** 3;
const node = (number: number) => idOf("node", number);

describe("room beside the data", () => {
  const spec = specOf({ storage: { sizeGiB: 20 } });

  test("is there if every node has the data's size free, and a quarter more for WAL", () => {
    const sizes = fc.integer({ min: 1, max: 500 });
    const free = fc.array(fc.integer({ min: 0, max: 700 }), { minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(sizes, free, (sizeGiB, freeGiB) => {
        const rooms = freeGiB.map((one, index) => ({ nodeId: node(index), freeBytes: one * gib }));
        const lack = lackOfRoom(rooms, { sizeBytes: sizeGiB * gib }, spec);
        expect(lack === null).toBe(freeGiB.every((one) => one * 4 >= sizeGiB * 5));
      }),
    );
  });

  test("that lacks is told with the node, and with what to do", () => {
    const rooms = [
      { nodeId: node(1), freeBytes: 15 * gib },
      { nodeId: node(2), freeBytes: 10 * gib },
    ];
    const lack = lackOfRoom(rooms, { sizeBytes: 10 * gib }, spec);
    expect(lack).toContain(`${node(2)} has 10.0 GiB free, and the restored data needs 12.5 GiB`);
    expect(lack).toContain("grow storage.sizeGiB to 23, or restore into a new cluster");
  });
});

describe("who goes back", () => {
  test("is who led before, and else anybody who has the data of then", () => {
    expect(whoGoesBack({ leaderId: node(2) }, [node(1), node(2)])).toBe(node(2));
    expect(whoGoesBack({ leaderId: node(2) }, [node(3), node(1)])).toBe(node(1));
    expect(whoGoesBack({ leaderId: node(2) }, [])).toBeNull();
  });
});

describe("a branch", () => {
  const left = { timeline: 1, lsn: "0/5", nextXid: "5", restorePoint: "before", at: minute(5) };
  const reached = { timeline: 2, history: [{ timeline: 1, lsn: "0/2" }] };

  test("is there once PostgreSQL has stopped, and has come to where it goes on", () => {
    const course = inPlaceCourseSchema.parse({ left, reached, stoppedAt: minute(6) });
    const expected = { operationId: idOf("operation", 5), at: minute(6), left, ...reached };
    expect(branchOf(idOf("operation", 5), course)).toEqual(expected);
    expect(branchOf(idOf("operation", 5), { ...course, reached: null })).toBeNull();
    expect(branchOf(idOf("operation", 5), inPlaceCourseSchema.parse({}))).toBeNull();
  });

  test("that is told twice is there once", () => {
    const branch = { operationId: idOf("operation", 5), at: minute(6), left, ...reached };
    expect(withBranch(withBranch([], branch), branch)).toEqual([branch]);
  });
});
