import { describe, expect, test } from "vitest";
import type { BackupType, Operation, RestoreSource, Retention } from "../../layers/domain/index.ts";
import { openCloud } from "../world/cloud.ts";
import { crashAlways, sides } from "../world/crashes.ts";
import { useDynamoDB } from "../world/dynamodb.ts";
import { type MadeCluster, makeCluster } from "../world/made-cluster.ts";

const dynamodb = useDynamoDB();

interface Scene extends MadeCluster {
  take(...types: readonly BackupType[]): Promise<Operation[]>;
  /** Types of what is in the repository. */
  repository(): readonly string[];
}

async function open(retention: Partial<Retention>): Promise<Scene> {
  const made = await makeCluster(await openCloud(dynamodb), { backup: { retention } });
  const { cloud, clusterId, plane } = made;
  return {
    ...made,
    take: async (...types) => {
      const taken: Operation[] = [];
      for (const type of types) taken.push(await plane.carryOut(await plane.writeBackup(clusterId, type)));
      return taken;
    },
    repository: () => (cloud.machines.backups.repositories.get(clusterId) ?? []).map(({ type }) => type),
  };
}

const typesOf = async (scene: Scene): Promise<string[]> => (await scene.backups()).map(({ type }) => type);

describe("after each backup", () => {
  test("full ones beyond the retention go with all that needs them, from the repository and the record", async () => {
    await using scene = await open({ full: 2 });
    await scene.take("full", "incr", "diff", "full", "incr");
    expect(await typesOf(scene)).toEqual(["full", "incr", "diff", "full", "incr"]);
    const [operation] = await scene.take("full");
    expect(await typesOf(scene)).toEqual(["full", "incr", "full"]);
    expect(scene.repository()).toEqual(["full", "incr", "full"]);
    expect(operation?.steps.filter(({ name }) => name.startsWith("remove "))).toHaveLength(3);
    expect(scene.cloud.machines.backups.faults).toEqual([]);
  });

  test("differential ones beyond the retention go with what was built on them", async () => {
    await using scene = await open({ diff: 1 });
    await scene.take("full", "diff", "incr", "diff");
    expect(scene.repository()).toEqual(["full", "diff"]);
    expect(await typesOf(scene)).toEqual(["full", "diff"]);
  });

  test("WAL goes up to the first full one that is kept, and none after it", async () => {
    await using scene = await open({ full: 2 });
    const archivedFrom = () => scene.cloud.machines.backups.archivedFrom.get(scene.clusterId);
    await scene.take("full", "incr");
    const [first] = await scene.backups();
    expect(archivedFrom()).toBe(first?.walStart);
    await scene.take("full", "full");
    const [kept] = await scene.backups();
    expect(kept?.id).not.toBe(first?.id);
    expect(archivedFrom()).toBe(kept?.walStart);
  });

  test("tries that failed before the first one that is kept are forgotten", async () => {
    await using scene = await open({ full: 1 });
    const { backups } = scene.cloud.machines;
    backups.objection = () => "no";
    await scene.take("full");
    backups.objection = () => null;
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await scene.take("full");
    expect((await scene.backups()).map(({ state }) => state)).toEqual(["succeeded"]);
  });

  test("nothing goes that another cluster is being restored from", async () => {
    await using scene = await open({ full: 1 });
    await scene.take("full", "incr");
    const [, used] = await scene.backups();
    const source: RestoreSource = {
      clusterId: scene.clusterId,
      shard: 0,
      backupId: used?.id ?? "",
      label: used?.label ?? "",
      target: "latest",
      exclusive: false,
    };
    const restore = await scene.plane.writeCreate(
      { name: "orders-before", members: 1 },
      { kind: "restore-cluster", request: source },
    );
    await scene.take("full");
    expect(await typesOf(scene)).toEqual(["full", "incr", "full"]);
    expect(await scene.plane.carryOut(restore)).toMatchObject({ state: "succeeded" });
    await scene.take("incr");
    expect(await typesOf(scene)).toEqual(["full", "incr"]);
  });
});

describe("what the repository does not let go", () => {
  test("fails no backup, stays what it was, and goes with the next one", async () => {
    await using scene = await open({ full: 1 });
    const { backups } = scene.cloud.machines;
    await scene.take("full");
    backups.deleteFailure = "S3 says AccessDenied";
    const [operation] = await scene.take("full");
    expect(operation).toMatchObject({ state: "succeeded" });
    expect(operation?.steps.map(({ detail }) => detail)).toContainEqual(
      expect.stringMatching(/^It stays until the next backup: .*S3 says AccessDenied$/),
    );
    expect((await scene.backups()).map(({ state }) => state)).toEqual(["succeeded", "succeeded"]);
    backups.deleteFailure = null;
    await scene.take("incr");
    expect(await typesOf(scene)).toEqual(["full", "incr"]);
  });

  test.each(sides)("is gone once when the control plane dies %s every checkpoint", async (side) => {
    await using scene = await open({ full: 1 });
    await scene.take("full", "incr", "diff");
    const operation = await scene.plane.writeBackup(scene.clusterId, "full");
    crashAlways(scene.plane, side);
    expect(await scene.plane.carryOut(operation)).toMatchObject({ state: "succeeded" });
    expect(await typesOf(scene)).toEqual(["full"]);
    expect(scene.repository()).toEqual(["full"]);
  });

  test("is left of a delete that was lost, and goes with the next backup", async () => {
    await using scene = await open({ full: 4 });
    await scene.take("full", "full");
    const [old] = await scene.backups();
    if (old === undefined) throw new Error("there is no backup");
    const { store } = scene.cloud.ports;
    expect(await store.claimBackup(old, old.operationId)).toBe(true);
    await scene.take("incr");
    expect(await typesOf(scene)).toEqual(["full", "incr"]);
    expect(scene.repository()).toEqual(["full", "incr"]);
  });
});

test("a delete of the first full backup takes its WAL with it", async () => {
  await using scene = await open({ full: 4 });
  await scene.take("full", "full");
  const [first, second] = await scene.backups();
  if (first === undefined) throw new Error("there is no backup");
  await scene.plane.carryOut(await scene.plane.writeDeleteBackup(first));
  expect(scene.cloud.machines.backups.archivedFrom.get(scene.clusterId)).toBe(second?.walStart);
});
