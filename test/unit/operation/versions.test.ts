import { describe, expect, test } from "vitest";
import {
  executionHoursMax,
  type FunctionVersions,
  retiredVersions,
} from "../../../layers/domain/operation/versions.ts";

const hourMs = 60 * 60 * 1000;
const nowMs = 1_000 * hourMs;

/** Versions 1 to `newest`, of which the newest is live and was published so long ago, and each other a day earlier. */
function versions(newest: number, liveHours: number, more: Partial<FunctionVersions> = {}): FunctionVersions {
  const published = Array.from({ length: newest }, (_, index) => ({
    version: index + 1,
    publishedMs: nowMs - (liveHours + 24 * (newest - index - 1)) * hourMs,
  }));
  return { published, live: newest, aliased: [newest], ...more };
}

describe("a version of a workflow is retired", () => {
  test("when three others are younger and older than the live one", () => {
    expect(retiredVersions(versions(4, 48), nowMs)).toEqual([]);
    expect(retiredVersions(versions(6, 48), nowMs)).toEqual([1, 2]);
  });

  test("by its number, however the versions are listed", () => {
    const { published, ...others } = versions(12, 48);
    const listed = published.toSorted((left, right) =>
      String(left.version).localeCompare(`${right.version}`),
    );
    expect(retiredVersions({ ...others, published: listed }, nowMs)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test("when whatever was begun on it before the live one came has ended, as long as an execution may take", () => {
    expect(retiredVersions(versions(6, executionHoursMax), nowMs)).toEqual([]);
    expect(retiredVersions(versions(6, 11.9), nowMs)).toEqual([]);
    expect(retiredVersions(versions(6, 12), nowMs)).toEqual([1, 2]);
  });

  test("never when an alias leads to it", () => {
    expect(retiredVersions(versions(8, 48, { aliased: [8, 2, 4] }), nowMs)).toEqual([1, 3]);
  });

  test("never when it is younger than the live one: a deployment is under way, or was taken back", () => {
    expect(retiredVersions(versions(9, 48, { live: 6, aliased: [6] }), nowMs)).toEqual([1, 2]);
  });

  test("never where the live version is unknown, is not among them, or is of an unknown age", () => {
    expect(retiredVersions(versions(9, 48, { live: null, aliased: [] }), nowMs)).toEqual([]);
    expect(retiredVersions(versions(9, 48, { live: 10, aliased: [10] }), nowMs)).toEqual([]);
    const { published, ...others } = versions(9, 48);
    const undated = published.map(({ version }) => ({ version, publishedMs: null }));
    expect(retiredVersions({ ...others, published: undated }, nowMs)).toEqual([]);
    expect(retiredVersions(versions(0, 48), nowMs)).toEqual([]);
  });
});
