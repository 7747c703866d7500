import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Operation } from "@pgherd/layers/domain";
import { expect, test } from "vitest";
import { waitFor } from "./support/wait.ts";
import { api, environment } from "./support/world.ts";

const writtenSeconds = 10;

interface Segment {
  readonly id: string;
  readonly name: string;
  readonly trace_id: string;
  readonly parent_id?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

async function segmentsOf(traceId: string): Promise<Segment[]> {
  const text = await readFile(join(environment.stateDirectory, "logs", "traces.jsonl"), "utf8");
  const lines = text.split("\n").filter(Boolean);
  return lines.map((line): Segment => JSON.parse(line)).filter(({ trace_id }) => trace_id === traceId);
}

test("one trace leads from an HTTP call to the command on the node", async () => {
  const traceId = `1-${Math.floor(Date.now() / 1000).toString(16)}-${randomBytes(12).toString("hex")}`;
  const { id: clusterId } = await api.demo();

  const { body } = await api.call<{ operation: Operation }>(
    "POST",
    `/v1/clusters/${clusterId}/restore-points`,
    { body: { name: "traced" }, headers: { "x-amzn-trace-id": `Root=${traceId};Sampled=1` } },
  );
  expect((await api.operationEnd(body.operation.id)).state).toBe("succeeded");

  const { call, command } = await waitFor("the command is in the trace", writtenSeconds, async () => {
    const segments = await segmentsOf(traceId);
    const found = segments.find(({ annotations }) => annotations?.["operationId"] === body.operation.id);
    const parent = segments.find(({ id }) => id === found?.parent_id);
    return found === undefined || parent === undefined ? undefined : { call: parent, command: found };
  });
  expect(call.name).toMatch(/-api$/);
  expect(command.annotations?.["instanceId"]).toMatch(/^i-/);
});
