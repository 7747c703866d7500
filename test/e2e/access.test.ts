import { connect } from "node:net";
import { type Cluster, nodePorts } from "@pgherd/layers/domain";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { api } from "./support/world.ts";

/** Loopback and bridges answer in microseconds; a dropped packet never does. */
const connectTimeoutMs = 1_500;

/** This machine may watch as well; what may is the environment's affair, and no cluster's. */
const watching = [nodePorts.haproxyStatistics, nodePorts.metrics];

function reaches(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: connectTimeoutMs });
    const end = (reached: boolean) => {
      socket.destroy();
      resolve(reached);
    };
    socket.once("connect", () => end(true));
    socket.once("timeout", () => end(false));
    socket.once("error", () => end(false));
  });
}

async function openPorts(host: string): Promise<number[]> {
  const ports = Object.values(nodePorts);
  const answers = await Promise.all(ports.map((port) => reaches(host, port)));
  return ports.filter((_, index) => answers[index]).toSorted((left, right) => left - right);
}

describe("access.cidrs", () => {
  let closed: Cluster;

  beforeAll(async () => {
    closed = await api.createAvailable({
      name: "not-for-us",
      members: 1,
      storage: { sizeGiB: 1 },
      access: { cidrs: ["203.0.113.0/24"] },
    });
  });

  afterAll(async () => {
    await api.remove(closed.id);
  });

  test("keeps everyone out whom it does not name, from every port that says more than numbers", async () => {
    expect(await openPorts(closed.nodes[0]?.address ?? "")).toEqual(watching);
  });

  test("without it the environment's own clients reach the client ports, and nothing else", async () => {
    const address = (await api.demo()).nodes[0]?.address ?? "";
    expect(await openPorts(address)).toEqual([
      nodePorts.readWrite,
      nodePorts.readOnly,
      nodePorts.any,
      nodePorts.pooled,
      ...watching,
    ]);
  });
});
