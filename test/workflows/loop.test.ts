import { describe, expect, test } from "vitest";
import type { ClusterPorts } from "../../functions/workflows/ports.ts";
import { type Loop, loopHandler } from "../../layers/runtime/workflow.ts";
import { type Cloud, openCloud } from "../world/cloud.ts";
import { ControlPlane } from "../world/control-plane.ts";
import { crashAlways, crashAt, sides } from "../world/crashes.ts";
import { useDynamoDB } from "../world/dynamodb.ts";
import { haste } from "../world/in-process-durable.ts";

const dynamodb = useDynamoDB();

type Change = { readonly to: number };

/** Something to be counted up, one by one. */
class Counter {
  value = 0;
  carriedOut = 0;
  failsAt: number | null = null;
  passingFailures = 0;
  onCarryOut: (to: number) => Promise<void> = async () => undefined;

  loop(goal: number, roundsMax = 20): Loop<ClusterPorts, Change> {
    return {
      kind: "converge-cluster",
      attemptsMax: 3,
      roundsMax,
      next: async () => (this.value < goal ? { to: this.value + 1 } : null),
      nameOf: () => "count",
      carryOut: async (_scope, { to }) => {
        if (this.failsAt === to) throw Object.assign(new Error("the number is cursed"), { code: "cursed" });
        if (this.passingFailures > 0) {
          this.passingFailures -= 1;
          throw Object.assign(new Error("slow down"), { name: "ThrottlingException" });
        }
        await this.onCarryOut(to);
        this.carriedOut += 1;
        this.value = Math.max(this.value, to);
        return `counted to ${to}`;
      },
      statusAt: ({ state }) => ({
        status: state === "succeeded" ? "available" : "degraded",
        statusReason: state,
      }),
    };
  }
}

async function open(cloud: Cloud, counter: Counter, goal: number, roundsMax?: number) {
  const loop = loopHandler(counter.loop(goal, roundsMax), () => cloud.ports);
  const plane = new ControlPlane(cloud, cloud.ports, { "converge-cluster": loop as never });
  const { operation } = await plane.create({ name: "orders", members: 1 });
  return { plane, clusterId: operation.clusterId };
}

describe("a loop", () => {
  test("plans and carries out until nothing is left, and every change is a step of its own", async () => {
    await using cloud = await openCloud(dynamodb);
    const counter = new Counter();
    const { plane, clusterId } = await open(cloud, counter, 3);
    const ended = await plane.carryOut(await plane.writeStart("converge-cluster", clusterId));
    expect(ended).toMatchObject({ state: "succeeded", progress: 1 });
    expect(ended.steps.map(({ name, state, detail }) => [name, state, detail])).toEqual([
      ["count", "succeeded", "counted to 1"],
      ["count (2)", "succeeded", "counted to 2"],
      ["count (3)", "succeeded", "counted to 3"],
    ]);
    const cluster = await cloud.ports.store.getCluster(clusterId);
    expect(cluster).toMatchObject({ status: "available", activeOperationId: null });
  });

  test("with nothing to do succeeds at once", async () => {
    await using cloud = await openCloud(dynamodb);
    const { plane, clusterId } = await open(cloud, new Counter(), 0);
    const ended = await plane.carryOut(await plane.writeStart("converge-cluster", clusterId));
    expect(ended).toMatchObject({ state: "succeeded", steps: [] });
  });

  test("never shows less progress than it has shown", async () => {
    await using cloud = await openCloud(dynamodb);
    const counter = new Counter();
    const { plane, clusterId } = await open(cloud, counter, 4);
    const operation = await plane.writeStart("converge-cluster", clusterId);
    const shown: number[] = [];
    plane.hooks.afterCheckpoint = async () => {
      shown.push((await plane.read(operation.id)).progress);
    };
    await plane.carryOut(operation);
    expect(shown.length).toBeGreaterThan(8);
    expect(shown).toEqual(shown.toSorted((left, right) => left - right));
  });

  test("ends with the reason of a change that fails, and leaves what is done", async () => {
    await using cloud = await openCloud(dynamodb);
    const counter = new Counter();
    counter.failsAt = 2;
    const { plane, clusterId } = await open(cloud, counter, 3);
    const ended = await plane.carryOut(await plane.writeStart("converge-cluster", clusterId));
    expect(ended.state).toBe("failed");
    expect(ended.error).toEqual({
      code: "cursed",
      message: expect.stringContaining("the number is cursed") as unknown,
    });
    expect(counter.value).toBe(1);
    counter.failsAt = null;
    const again = await plane.carryOut(await plane.writeStart("converge-cluster", clusterId));
    expect(again.state).toBe("succeeded");
    expect(counter.value).toBe(3);
  });

  test("tries a change again that fails for a reason which passes", async () => {
    await using cloud = await openCloud(dynamodb);
    const counter = new Counter();
    counter.passingFailures = 2;
    const { plane, clusterId } = await open(cloud, counter, 1);
    const ended = await plane.carryOut(await plane.writeStart("converge-cluster", clusterId));
    expect(ended.state).toBe("succeeded");
  });

  test("that goes in circles is stopped", async () => {
    await using cloud = await openCloud(dynamodb);
    const counter = new Counter();
    const { plane, clusterId } = await open(cloud, counter, 1_000, 3);
    const ended = await plane.carryOut(await plane.writeStart("converge-cluster", clusterId));
    expect(ended).toMatchObject({ state: "failed", error: { code: "no-progress" } });
    expect(counter.value).toBe(3);
  });

  test("that plans the same again gives whoever is busy a moment first", async () => {
    await using cloud = await openCloud(dynamodb);
    const triesMs: number[] = [];
    const again: Loop<ClusterPorts, Change> = {
      ...new Counter().loop(1),
      next: async () => (triesMs.length < 2 ? { to: 1 } : null),
      carryOut: async () => {
        triesMs.push(performance.now());
        return undefined;
      },
    };
    const plane = new ControlPlane(cloud, cloud.ports, {
      "converge-cluster": loopHandler(again, () => cloud.ports) as never,
    });
    const { operation } = await plane.create({ name: "orders", members: 1 });
    const ended = await plane.carryOut(await plane.writeStart("converge-cluster", operation.clusterId));
    expect(ended.state).toBe("succeeded");
    const [firstMs = 0, secondMs = 0] = triesMs;
    expect(secondMs - firstMs).toBeGreaterThan(4_500 * haste);
  });

  test("that is cancelled ends between two changes", async () => {
    await using cloud = await openCloud(dynamodb);
    const counter = new Counter();
    const { plane, clusterId } = await open(cloud, counter, 5);
    const operation = await plane.writeStart("converge-cluster", clusterId);
    counter.onCarryOut = async (to) => {
      if (to === 2) await plane.requestCancel(operation);
    };
    const ended = await plane.carryOut(operation);
    expect(ended.state).toBe("cancelled");
    expect(counter.value).toBe(2);
    expect(ended.steps.every((step) => step.state === "succeeded")).toBe(true);
  });

  test("that lost its execution goes on from what is", async () => {
    await using cloud = await openCloud(dynamodb);
    const counter = new Counter();
    const { plane, clusterId } = await open(cloud, counter, 3);
    const operation = await plane.writeStart("converge-cluster", clusterId);
    await cloud.ports.store.markOperationRunning(operation.id);
    await cloud.ports.store.updateStep(operation.id, {
      name: "count",
      state: "running",
      startedAt: operation.createdAt,
      endedAt: null,
    });
    counter.value = 1;
    const ended = await plane.carryOut(operation, { attempt: 1, reason: "lost" });
    expect(ended.state).toBe("succeeded");
    expect(counter.value).toBe(3);
    expect(ended.steps.map((step) => step.name)).toEqual(["count", "count (2)", "count (3)"]);
  });
});

describe("the control plane dies", () => {
  test.each(sides)("%s every checkpoint of a loop in turn: it ends as if nothing had been", async (side) => {
    await using cloud = await openCloud(dynamodb);
    for (let number = 1; ; number += 1) {
      const counter = new Counter();
      const loop = loopHandler(counter.loop(3), () => cloud.ports);
      const plane = new ControlPlane(cloud, cloud.ports, { "converge-cluster": loop as never });
      const { operation } = await plane.create({ name: `orders-${side}-${number}`, members: 1 });
      const started = await plane.writeStart("converge-cluster", operation.clusterId);
      const count = crashAt(plane, number, side);
      const ended = await plane.carryOut(started);
      expect(ended).toMatchObject({ state: "succeeded", progress: 1 });
      expect(counter.value).toBe(3);
      expect(ended.steps).toHaveLength(3);
      if (count.crashes === 0) break;
      expect(number).toBeLessThan(40);
    }
  });

  test.each(sides)("%s every single checkpoint of one loop: it ends all the same", async (side) => {
    await using cloud = await openCloud(dynamodb);
    const counter = new Counter();
    const { plane, clusterId } = await open(cloud, counter, 3);
    const started = await plane.writeStart("converge-cluster", clusterId);
    const count = crashAlways(plane, side);
    const ended = await plane.carryOut(started);
    expect(ended.state).toBe("succeeded");
    expect(counter.value).toBe(3);
    expect(count.crashes).toBeGreaterThan(5);
  });
});
