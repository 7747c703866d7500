import type { Cluster } from "@pgherd/layers/domain";
import { afterEach, describe, expect, test } from "vitest";
import { addFault, clearFaults } from "../support/faults.ts";
import { leftovers } from "../support/leftovers.ts";
import { api, environment } from "../support/world.ts";

describe("a create that fails leaves nothing behind and says why", () => {
  afterEach(async () => {
    await clearFaults(environment);
  });

  async function failingCreate(name: string, spec: Record<string, unknown> = {}) {
    const { cluster, operation } = await api.create({ name, members: 3, storage: { sizeGiB: 1 }, ...spec });
    const ended = await api.operationEnd(operation.id);
    return { cluster, ended };
  }

  test("no zone has capacity", async () => {
    await addFault(environment, {
      service: "ec2",
      action: "RunInstances",
      times: 1000,
      effect: { kind: "error", code: "InsufficientInstanceCapacity", statusCode: 500 },
    });

    const { cluster, ended } = await failingCreate("no-capacity");

    expect(ended.state).toBe("failed");
    expect(ended.error?.message).toMatch(/no zone has room/);
    expect(await leftovers(environment, cluster.id)).toEqual({});
    const again = await api.call("POST", "/v1/clusters?dryRun=true", { body: { name: "no-capacity" } });
    expect(again.status).toBe(200);
  });

  test("a command never reaches a node", async () => {
    await addFault(environment, {
      service: "ssm",
      action: "SendCommand",
      times: 1000,
      effect: { kind: "error", code: "InternalServerError", statusCode: 500 },
    });

    const { cluster, ended } = await failingCreate("no-commands", { members: 1 });

    expect(ended.state).toBe("failed");
    expect(await leftovers(environment, cluster.id)).toEqual({});
  });

  test("it is cancelled", async () => {
    const { cluster, operation } = await api.create({ name: "cancelled", members: 3 });
    const cancel = await api.call("POST", `/v1/operations/${operation.id}/cancel`);
    expect(cancel.status).toBe(202);

    expect((await api.operationEnd(operation.id)).state).toBe("cancelled");
    expect(await leftovers(environment, cluster.id)).toEqual({});
  });
});

test("a zone without capacity is made up for by another", async () => {
  await addFault(environment, {
    service: "ec2",
    action: "RunInstances",
    times: 1,
    effect: { kind: "error", code: "InsufficientInstanceCapacity", statusCode: 500 },
  });
  let cluster: Cluster | undefined;
  try {
    cluster = await api.createAvailable({ name: "two-zones", members: 3, storage: { sizeGiB: 1 } });
    expect(cluster.nodes).toHaveLength(3);
    expect(new Set(cluster.nodes.map((node) => node.zone)).size).toBe(2);
  } finally {
    await clearFaults(environment);
    if (cluster !== undefined) await api.remove(cluster.id);
  }
});
