import { setTimeout as sleep } from "node:timers/promises";
import { DescribeInstancesCommand } from "@aws-sdk/client-ec2";
import { tagNames } from "@pgherd/layers/domain";
import { afterEach, describe, expect, test } from "vitest";
import { ec2Client } from "./support/aws.ts";
import { Database } from "./support/database.ts";
import { leftovers } from "./support/leftovers.ts";
import { api, environment } from "./support/world.ts";

/** A create of one member takes about ten seconds: these moments fall into its machines and into its software. */
const momentsMs = [1500, 6500];

async function instancesOf(clusterId: string): Promise<number> {
  const ec2 = await ec2Client(environment);
  const answer = await ec2.send(
    new DescribeInstancesCommand({
      Filters: [
        { Name: `tag:${tagNames.cluster}`, Values: [clusterId] },
        { Name: "instance-state-name", Values: ["pending", "running", "stopping", "stopped"] },
      ],
    }),
  );
  ec2.destroy();
  return (answer.Reservations ?? []).flatMap((reservation) => reservation.Instances ?? []).length;
}

describe("every process of the control plane killed with -9", () => {
  afterEach(async () => {
    await environment.npm("start", "--no-demo");
  });

  test("leaves the databases serving", async () => {
    await using database = await Database.of(environment, api, (await api.demo()).id);

    await environment.killControlPlane();

    expect(await database.sql("readWrite", "client", "SELECT 1")).toBe("1");
  });

  test.each(momentsMs)(
    "%i ms into a create: it ends by itself with what was asked, and so does a delete",
    async (ms) => {
      const { cluster, operation } = await api.create({
        name: `killed-${ms}`,
        members: 1,
        storage: { sizeGiB: 1 },
      });
      await sleep(ms);
      await environment.killControlPlane();
      await environment.npm("start", "--no-demo");

      expect((await api.operationEnd(operation.id)).state).toBe("succeeded");
      expect(await instancesOf(cluster.id)).toBe(1);

      const answer = await api.call<{ operation: { id: string } }>(
        "DELETE",
        `/v1/clusters/${cluster.id}?finalBackup=false`,
      );
      await sleep(ms / 3);
      await environment.killControlPlane();
      await environment.npm("start", "--no-demo");

      expect((await api.operationEnd(answer.body.operation.id)).state).toBe("succeeded");
      expect(await leftovers(environment, cluster.id)).toEqual({});
    },
  );
});
