import { describe, expect, test } from "vitest";
import { failoverWorkflow } from "../../functions/workflows/failover-cluster.ts";
import { reinitializeLoop } from "../../functions/workflows/reinitialize-node.ts";
import { restartLoop } from "../../functions/workflows/restart-cluster.ts";
import { switchoverWorkflow } from "../../functions/workflows/switchover-cluster.ts";
import type { Cluster } from "../../layers/domain/index.ts";
import { loopHandler, workflowHandler } from "../../layers/runtime/workflow.ts";
import { type Cloud, openCloud } from "../world/cloud.ts";
import { ControlPlane } from "../world/control-plane.ts";
import { crashAlways, crashAt, sides } from "../world/crashes.ts";
import { useDynamoDB } from "../world/dynamodb.ts";
import { PaperShard } from "../world/paper-shard.ts";
import { onStep } from "../world/steps.ts";

const dynamodb = useDynamoDB();

/** A clone on paper is over after a few looks. */
const lookMs = 10;
/** A workflow that never ends would run into this instead of the test's deadline. */
const checkpointsMax = 80;

interface World {
  readonly plane: ControlPlane;
  readonly shard: PaperShard;
  readonly cluster: Cluster;
  readonly id: (index: number) => string;
}

async function open(cloud: Cloud, members = 3): Promise<World> {
  const { cluster } = await new ControlPlane(cloud).create({ name: "orders", members });
  if (cluster === null) throw new Error("the cluster was not created");
  return worldOf(cloud, cluster);
}

/** The cluster with a shard in which nothing has happened yet. */
function worldOf(cloud: Cloud, cluster: Cluster): World {
  const shard = new PaperShard(cluster, cloud.ports.commands);
  const ports = { ...cloud.ports, commands: shard };
  const plane = new ControlPlane(cloud, ports, {
    "switchover-cluster": workflowHandler(switchoverWorkflow, () => ports) as never,
    "failover-cluster": workflowHandler(failoverWorkflow, () => ports) as never,
    "restart-cluster": loopHandler(restartLoop, () => ports) as never,
    "reinitialize-node": loopHandler(reinitializeLoop(lookMs), () => ports) as never,
  });
  return { plane, shard, cluster, id: (index) => cluster.nodes[index]?.id ?? "" };
}

const everybody = { nodeIds: null, onlyPendingRestart: false, force: false };

/** Every operation of this file, and what must have come of it whatever happened meanwhile. */
const operations = {
  "switchover-cluster": {
    request: ({ id }: World) => ({ shard: 0, from: id(0), candidate: null, force: false }),
    check: ({ shard, id }: World) => {
      expect(shard.leader).toBe(id(1));
      expect(shard.done).toEqual([`change-role ${id(0)} ${id(1)}`]);
    },
  },
  "failover-cluster": {
    request: ({ id }: World) => ({ shard: 0, from: id(0), candidate: id(2) }),
    check: ({ shard, id }: World) => {
      expect(shard.leader).toBe(id(2));
      expect(shard.done).toEqual([`change-role ${id(0)} ${id(2)}`]);
    },
  },
  "restart-cluster": {
    request: () => everybody,
    check: ({ shard, id }: World) => {
      expect(shard.done).toEqual([
        `restart-member ${id(2)}`,
        `restart-member ${id(1)}`,
        `change-role ${id(0)} ${id(1)}`,
        `restart-member ${id(0)}`,
      ]);
    },
  },
  "reinitialize-node": {
    request: ({ id }: World) => ({ nodeId: id(2) }),
    check: ({ shard, id }: World) => {
      expect(shard.done).toEqual([`reinitialize-member ${id(2)}`]);
      expect(shard.members.get(id(2))?.state).toBe("streaming");
    },
  },
} as const;
const kinds = ["switchover-cluster", "failover-cluster", "restart-cluster", "reinitialize-node"] as const;

async function carryOut(world: World, kind: (typeof kinds)[number], request: object | null = null) {
  const { plane, cluster } = world;
  return plane.carryOut(
    await plane.writeStart(kind, cluster.id, { ...(request ?? operations[kind].request(world)) }),
  );
}

describe("a switchover", () => {
  test("says who led, who leads, and how long clients were held", async () => {
    await using cloud = await openCloud(dynamodb);
    const world = await open(cloud);
    const ended = await carryOut(world, "switchover-cluster");
    operations["switchover-cluster"].check(world);
    expect(ended).toMatchObject({
      state: "succeeded",
      result: { from: world.id(0), to: world.id(1), pauseMs: 250 },
    });
    expect(await cloud.ports.store.getCluster(world.cluster.id)).toMatchObject({ status: "available" });
  });

  test("that the nodes refuse changes nothing and tells their reason", async () => {
    await using cloud = await openCloud(dynamodb);
    const world = await open(cloud);
    world.shard.failures.set("change-role", { code: "transactions-in-the-way", message: "one does not end" });
    const ended = await carryOut(world, "switchover-cluster");
    expect(ended).toMatchObject({
      state: "failed",
      error: { code: "transactions-in-the-way", message: expect.stringContaining("one does not end") },
    });
    expect(world.shard.leader).toBe(world.id(0));
  });

  test("does not fail because etcd's leader stays where it is", async () => {
    await using cloud = await openCloud(dynamodb);
    const world = await open(cloud);
    world.shard.failures.set("move-dcs-leader", { code: "dcs-silent", message: "etcd does not answer" });
    expect((await carryOut(world, "switchover-cluster")).state).toBe("succeeded");
  });
});

test("members that answer nobody for a moment are asked again", async () => {
  await using cloud = await openCloud(dynamodb);
  const world = await open(cloud);
  const silence = { code: "command-deadline", message: "no answer", times: world.shard.members.size };
  world.shard.failures.set("assess-role-change", silence);
  expect((await carryOut(world, "switchover-cluster")).state).toBe("succeeded");
  expect(world.shard.leader).toBe(world.id(1));
});

test("a failover appoints who was asked for, also where nobody leads", async () => {
  await using cloud = await openCloud(dynamodb);
  const world = await open(cloud);
  world.shard.leader = null;
  const request = { shard: 0, from: null, candidate: world.id(2) };
  expect((await carryOut(world, "failover-cluster", request)).state).toBe("succeeded");
  expect(world.shard.leader).toBe(world.id(2));
});

test.each(["switchover-cluster", "failover-cluster"] as const)(
  "a %s that is cancelled before the act itself leaves the leader where it is",
  async (kind) => {
    await using cloud = await openCloud(dynamodb);
    const world = await open(cloud);
    const { plane, cluster, shard } = world;
    const operation = await plane.writeStart(kind, cluster.id, { ...operations[kind].request(world) });
    await plane.requestCancel(operation);
    expect(await plane.carryOut(operation)).toMatchObject({
      state: "cancelled",
      error: { code: "cancelled" },
    });
    expect(shard.done).toEqual([]);
    const after = await cloud.ports.store.getCluster(cluster.id);
    expect(after).toMatchObject({
      activeOperationId: null,
      statusReason: expect.stringMatching(/was cancelled|did not take place/),
    });
  },
);

test("a switchover that is cancelled during its preflight leaves the leader where it is", async () => {
  await using cloud = await openCloud(dynamodb);
  const world = await open(cloud);
  const { plane, cluster, shard } = world;
  const request = operations["switchover-cluster"].request(world);
  const operation = await plane.writeStart("switchover-cluster", cluster.id, request);
  onStep(cloud.ports.store, async (step) => {
    if (step.name === "preflight" && step.state === "running") await plane.requestCancel(operation);
  });
  expect(await plane.carryOut(operation)).toMatchObject({ state: "cancelled" });
  expect(shard.done).toEqual([]);
});

describe("a rolling restart", () => {
  test("has a step for each member and one for the leader's move, and tells the pause", async () => {
    await using cloud = await openCloud(dynamodb);
    const world = await open(cloud);
    const ended = await carryOut(world, "restart-cluster");
    operations["restart-cluster"].check(world);
    const { id } = world;
    expect(ended.steps.map((step) => [step.name, step.state])).toEqual([
      [`restart ${id(2)}`, "succeeded"],
      [`restart ${id(1)}`, "succeeded"],
      [`move the leader from ${id(0)}`, "succeeded"],
      [`restart ${id(0)}`, "succeeded"],
    ]);
    expect(ended.result).toMatchObject({ leaderMoves: [{ from: id(0), to: id(1), pauseMs: 250 }] });
  });

  test("takes only members that wait, if only they were asked for", async () => {
    await using cloud = await openCloud(dynamodb);
    const world = await open(cloud);
    const waiting = world.shard.members.get(world.id(1));
    if (waiting !== undefined) waiting.waits = true;
    await carryOut(world, "restart-cluster", { ...everybody, onlyPendingRestart: true });
    expect(world.shard.done).toEqual([`restart-member ${world.id(1)}`]);
  });

  test("of an only member happens where it is", async () => {
    await using cloud = await openCloud(dynamodb);
    const world = await open(cloud, 1);
    const ended = await carryOut(world, "restart-cluster");
    expect(world.shard.done).toEqual([`restart-member ${world.id(0)}`]);
    expect(ended.steps[0]?.detail).toContain("900 ms");
  });

  test("stops at a member that does not come up again, with PostgreSQL's own words, and touches no other", async () => {
    await using cloud = await openCloud(dynamodb);
    const world = await open(cloud);
    const message = "PostgreSQL did not start again: FATAL:  could not map anonymous shared memory";
    world.shard.failures.set("restart-member", { code: "postgres-not-started", message });
    const ended = await carryOut(world, "restart-cluster");
    expect(ended).toMatchObject({
      state: "failed",
      error: { code: "postgres-not-started", message: expect.stringContaining(message) },
    });
    expect(ended.steps).toHaveLength(1);
    expect(world.shard.leader).toBe(world.id(0));
    expect(await cloud.ports.store.getCluster(world.cluster.id)).toMatchObject({
      status: "degraded",
      activeOperationId: null,
    });
  });

  test("that is cancelled ends between two members", async () => {
    await using cloud = await openCloud(dynamodb);
    const world = await open(cloud);
    const { plane, cluster, shard } = world;
    const operation = await plane.writeStart("restart-cluster", cluster.id, everybody);
    let isAsked = false;
    plane.hooks.afterCheckpoint = async () => {
      if (isAsked || shard.done.length === 0) return;
      isAsked = true;
      await plane.requestCancel(operation);
    };
    expect((await plane.carryOut(operation)).state).toBe("cancelled");
    expect(shard.done.length).toBeLessThan(3);
    expect(await cloud.ports.store.getCluster(cluster.id)).toMatchObject({ activeOperationId: null });
  });
});

test("a reinitialize waits until the clone streams, and tells how far it is meanwhile", async () => {
  await using cloud = await openCloud(dynamodb);
  const world = await open(cloud);
  const details: (string | undefined)[] = [];
  onStep(cloud.ports.store, (step) => details.push(step.detail));
  expect((await carryOut(world, "reinitialize-node")).state).toBe("succeeded");
  operations["reinitialize-node"].check(world);
  expect(details.find((detail) => detail?.includes("64 of about 64 MiB"))).toBeDefined();
});

describe.each(kinds)("%s", (kind) => {
  test.each(sides)(
    "comes to the same end when the control plane dies %s a checkpoint, whichever",
    async (side) => {
      await using cloud = await openCloud(dynamodb);
      const { cluster } = await open(cloud);
      for (let number = 1; ; number += 1) {
        expect(number).toBeLessThan(checkpointsMax);
        const world = worldOf(cloud, cluster);
        const count = crashAt(world.plane, number, side);
        const ended = await carryOut(world, kind);
        expect({ number, state: ended.state, error: ended.error }).toEqual({ number, state: "succeeded" });
        operations[kind].check(world);
        if (count.crashes === 0) break;
      }
    },
  );

  test.each(sides)("comes to the same end when it dies %s every checkpoint", async (side) => {
    await using cloud = await openCloud(dynamodb);
    const world = await open(cloud);
    crashAlways(world.plane, side);
    expect((await carryOut(world, kind)).state).toBe("succeeded");
    operations[kind].check(world);
  });
});
