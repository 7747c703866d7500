import { connect } from "node:net";
import { DescribeSecurityGroupsCommand } from "@aws-sdk/client-ec2";
import { type Cluster, nodePorts } from "@pgherd/layers/domain";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ec2Client } from "./support/aws.ts";
import { onMachine } from "./support/machines.ts";
import { api, environment } from "./support/world.ts";

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

/** Whether a program on one node comes through to another one's port. */
async function reachesFrom(from: string, host: string, port: number): Promise<boolean> {
  const seconds = String(connectTimeoutMs / 1000);
  const knock = `timeout ${seconds} bash -c ': </dev/tcp/${host}/${port}' 2>/dev/null && echo open || echo shut`;
  return (await onMachine(from, ["bash", "-c", knock])).trim() === "open";
}

async function securityGroupOf({ id }: Cluster): Promise<string> {
  const ec2 = await ec2Client(environment);
  const Filters = [{ Name: "tag:pgherd:cluster", Values: [id] }];
  const { SecurityGroups } = await ec2.send(new DescribeSecurityGroupsCommand({ Filters }));
  ec2.destroy();
  return SecurityGroups?.[0]?.GroupId ?? "";
}

describe("access", () => {
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

  test("keeps everyone out whom its cidrs do not name, from every port that says more than numbers", async () => {
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

  test("lets members of a security group in from the patch on that names it, and them alone", async () => {
    const demo = await api.demo();
    const [from = "", to = ""] = [demo, closed].map(({ nodes }) => nodes[0]?.address ?? "");
    const ports = [nodePorts.readWrite, nodePorts.pooled, nodePorts.postgres];
    const reached = () => Promise.all(ports.map((port) => reachesFrom(from, to, port)));
    expect(await reached()).toEqual([false, false, false]);
    await api.carryOut("PATCH", `/v1/clusters/${closed.id}`, {
      access: { securityGroupIds: [await securityGroupOf(demo)] },
    });
    expect(await reached()).toEqual([true, true, false]);
    expect(await openPorts(to)).toEqual(watching);
  });
});
