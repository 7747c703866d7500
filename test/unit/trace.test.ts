import { describe, expect, test } from "vitest";
import { parseTrace, subsegmentOf, traceHeader } from "../../layers/domain/trace.ts";

const id = "1-67891233-abcdef012345678912345678";
const segmentId = "53995c3f42cd8ad8";

describe("X-Ray's header", () => {
  test.each([
    [`Root=${id};Parent=${segmentId};Sampled=1`, { id, segmentId, isSampled: true }],
    [`Root=${id};Parent=${segmentId};Sampled=0;Lineage=1:a8f1:0`, { id, segmentId, isSampled: false }],
    [`Root=${id}`, { id, segmentId: null, isSampled: false }],
    ["Self=1-67891234-12456789abcdef012345678", null],
    ["Root=1-67891233-ABC", null],
    ["", null],
    [undefined, null],
  ])("%s", (header, expected) => {
    expect(parseTrace(header)).toEqual(expected);
  });

  test("is read as it was written", () => {
    const trace = { id, segmentId, isSampled: true };
    expect(parseTrace(traceHeader(trace))).toEqual(trace);
  });
});

describe("work that somebody else did", () => {
  const work = {
    id: "0102030405060708",
    name: "node survey",
    beganMs: 1_500,
    endedMs: 2_750,
    annotations: { verb: "survey" },
    error: null,
  };

  test("is a part of the segment that asked for it", () => {
    expect(subsegmentOf({ id, segmentId, isSampled: true }, work)).toEqual({
      type: "subsegment",
      namespace: "remote",
      trace_id: id,
      parent_id: segmentId,
      id: work.id,
      name: "node survey",
      start_time: 1.5,
      end_time: 2.75,
      annotations: { verb: "survey" },
    });
  });

  test("that failed says so", () => {
    const failed = { ...work, error: "no-answer" };
    expect(subsegmentOf({ id, segmentId, isSampled: true }, failed)).toMatchObject({
      fault: true,
      metadata: { error: "no-answer" },
    });
  });

  test.each([
    ["without a trace", null],
    ["of a trace that nobody keeps", { id, segmentId, isSampled: false }],
    ["without a segment", { id, segmentId: null, isSampled: true }],
  ])("is told nobody %s", (_, trace) => {
    expect(subsegmentOf(trace, work)).toBeNull();
  });
});
