import { ulid } from "ulid";
import { describe, expect, test } from "vitest";
import type { MakingPorts } from "../../functions/workflows/create-cluster/ports.ts";
import { createClusterWorkflow } from "../../functions/workflows/create-cluster.ts";
import { prefixed } from "../../layers/domain/ids.ts";
import type { NodeCommandPort } from "../../layers/ports/index.ts";
import { stepsOf } from "../../layers/runtime/workflow.ts";
import type { FaultRule } from "../../local/endpoints/faults.ts";
import { type Cloud, openCloud, zones } from "../world/cloud.ts";
import { ControlPlane } from "../world/control-plane.ts";
import { useDynamoDB } from "../world/dynamodb.ts";
import { expectUnwound, inventory, inventoryOf } from "../world/expectations.ts";
import { onStep } from "../world/steps.ts";

const dynamodb = useDynamoDB();

const stepNames = createClusterWorkflow()
  .chapters.flatMap(stepsOf)
  .map((step) => step.name);

test("a create ends available with exactly the nodes that were asked for, one per zone", async () => {
  await using cloud = await openCloud(dynamodb);
  const { operation, cluster } = await new ControlPlane(cloud).create({ name: "orders", members: 3 });
  expect(operation).toMatchObject({ state: "succeeded", progress: 1 });
  expect(operation.steps.map((step) => [step.name, step.state])).toEqual(
    stepNames.map((name) => [name, "succeeded"]),
  );
  expect(cluster).toMatchObject({ status: "available", activeOperationId: null });
  expect(cluster?.nodes.map((node) => node.zone)).toEqual(zones);
  expect(await inventory(cloud)).toEqual(inventoryOf(3));
});

test("a failover before the database is made is no failure: the new leader is asked", async () => {
  await using cloud = await openCloud(dynamodb);
  const run = cloud.ports.commands.run.bind(cloud.ports.commands);
  const asked: string[] = [];
  const commands: NodeCommandPort = {
    awaitOnline: (...call) => cloud.ports.commands.awaitOnline(...call),
    run: (target, verb, input) => {
      if (verb === "apply-database") {
        asked.push(target.instanceId);
        cloud.machines.leaderIndex = 0;
      }
      return run(target, verb, input);
    },
  };
  const plane = new ControlPlane(cloud, { ...cloud.ports, commands });
  const { operation, cluster } = await plane.create({ name: "orders", members: 3 });
  expect(operation.state).toBe("succeeded");
  const instances = cluster?.nodes.map((node) => node.instanceId) ?? [];
  expect(asked).toEqual([instances.at(-1), instances[0]]);
});

test("what stands in the operation while it runs tells running steps from those to come", async () => {
  await using cloud = await openCloud(dynamodb);
  const seen: string[] = [];
  onStep(cloud.ports.store, async (step, id) => {
    if (step.name !== "instances" || step.state !== "running") return;
    const operation = await cloud.ports.store.getOperation(id);
    seen.push(...(operation?.steps ?? []).map((one) => `${one.name} ${one.state}`));
  });
  const { operation } = await new ControlPlane(cloud).create({ name: "orders", members: 1 });
  expect(operation.state).toBe("succeeded");
  expect(seen).toEqual(
    stepNames.map((name, index) => {
      const at = stepNames.indexOf("instances");
      return `${name} ${index < at ? "succeeded" : index === at ? "running" : "pending"}`;
    }),
  );
});

test("every step of a create that ended, done again, changes nothing", async () => {
  await using cloud = await openCloud(dynamodb);
  const { operation, cluster } = await new ControlPlane(cloud).create({ name: "orders", members: 3 });
  const before = { leftovers: await cloud.leftovers(), done: [...cloud.machines.done] };
  const holder = prefixed("operation", ulid());
  await cloud.ports.store.startOperation(
    {
      operation: {
        ...operation,
        id: holder,
        state: "pending",
        endedAt: null,
        steps: [],
      },
      audit: {
        id: `aud_${operation.id.slice(4)}`,
        clusterId: operation.clusterId,
        at: operation.createdAt,
        action: "test",
        principal: "test",
        role: "admin",
        sourceAddress: "",
        requestId: "",
        operationId: null,
        detail: "",
      },
      idempotency: null,
    },
    { status: "updating", statusReason: "" },
  );
  const nodes = (cluster?.nodes ?? []).map(({ id, zone }) => ({ id, zone }));
  const leader = nodes.at(-1)?.id ?? "";
  // Nodes know what they did for the first operation, and the second one holds the cluster.
  const { store } = cloud.ports;
  const recordOnCluster: typeof store.recordOnCluster = (clusterId, _operationId, change) =>
    store.recordOnCluster(clusterId, holder, change);
  const scope = {
    operationId: operation.id,
    clusterId: operation.clusterId,
    nodes,
    ports: { ...cloud.ports, store: { ...store, recordOnCluster } },
    request: {},
    said: () => leader,
  };
  for (const step of createClusterWorkflow().chapters.flatMap(stepsOf)) {
    if (step.name === "claim") continue;
    if (step.kind === "step") await step.act(scope);
    else for (const { id } of nodes) await step.act(scope, id);
    // A command whose input differs, such as another certificate of the same names, is carried out again: to no
    // other effect than before.
    const done = [...new Set(cloud.machines.done)];
    expect({ step: step.name, leftovers: await cloud.leftovers(), done }).toEqual({
      step: step.name,
      ...before,
    });
  }
  const after = await cloud.ports.store.getCluster(operation.clusterId);
  expect(after?.nodes).toEqual(cluster?.nodes);
  expect(after?.schedules).toEqual(cluster?.schedules);
});

interface Breakage {
  readonly step: string;
  readonly says: RegExp;
  readonly breaks: (cloud: Cloud) => void;
}

const fault =
  (service: string, action: string, code: string, more: Partial<FaultRule> = {}) =>
  (cloud: Cloud) => {
    cloud.faults.add({ service, action, times: 50, effect: { kind: "error", code }, ...more });
  };
const refuses =
  (verb: "prepare" | "configure" | "await-members" | "apply-database" | "verify") => (cloud: Cloud) => {
    cloud.machines.behaviours.set(verb, { kind: "fails", code: "broken", message: `${verb} is broken` });
  };

const breakages: readonly Breakage[] = [
  {
    step: "security-group",
    says: /security-group/,
    breaks: fault("ec2", "AuthorizeSecurityGroupIngress", "RulesPerSecurityGroupLimitExceeded"),
  },
  {
    step: "identity",
    says: /identity/,
    breaks: fault("iam", "PutRolePolicy", "LimitExceeded"),
  },
  {
    step: "identity",
    says: /identity/,
    breaks: fault("iam", "AddRoleToInstanceProfile", "UnmodifiableEntity"),
  },
  {
    step: "volumes",
    says: /volumes" failed on node nod_/,
    breaks: fault("ec2", "CreateVolume", "VolumeLimitExceeded", { nth: 2 }),
  },
  {
    step: "passwords",
    says: /passwords/,
    breaks: fault("ssm", "PutParameter", "ParameterLimitExceeded", { inputContains: "/users/monitor" }),
  },
  {
    step: "authority",
    says: /authority/,
    breaks: fault("ssm", "PutParameter", "ParameterLimitExceeded", { inputContains: "/authority/key" }),
  },
  {
    step: "network-interfaces",
    says: /network-interfaces/,
    breaks: fault("ec2", "CreateNetworkInterface", "NetworkInterfaceLimitExceeded", { nth: 2 }),
  },
  {
    step: "instances",
    says: /instances/,
    breaks: fault("ec2", "RunInstances", "InstanceLimitExceeded", { nth: 3 }),
  },
  {
    step: "instances",
    says: /instead of running/,
    breaks: (cloud) => {
      cloud.machines.bootFailure = "no memory";
    },
  },
  {
    step: "agents",
    says: /taking commands did not happen within 1 s/,
    breaks: (cloud) => {
      cloud.machines.isDeaf = true;
    },
  },
  { step: "configure", says: /prepare is broken/, breaks: refuses("prepare") },
  { step: "configure", says: /configure is broken/, breaks: refuses("configure") },
  {
    step: "configure",
    says: /no answer\. stderr: …Killed/,
    breaks: (cloud) => {
      cloud.machines.behaviours.set("configure", { kind: "crashes", stderr: "Killed" });
    },
  },
  { step: "members", says: /await-members is broken/, breaks: refuses("await-members") },
  { step: "database", says: /apply-database is broken/, breaks: refuses("apply-database") },
  { step: "verify", says: /verify is broken/, breaks: refuses("verify") },
  {
    step: "schedules",
    says: /schedules/,
    breaks: fault("scheduler", "CreateSchedule", "ServiceQuotaExceededException", { nth: 2 }),
  },
];

describe("a create that fails removes everything that it had made", () => {
  test.each(breakages)("at $step ($says)", async ({ step, says, breaks }) => {
    await using cloud = await openCloud(dynamodb);
    breaks(cloud);
    const { operation, cluster } = await new ControlPlane(cloud).create({ name: "orders", members: 3 });
    expectUnwound(operation, { state: "failed", message: says });
    expect(await cloud.leftovers()).toEqual([]);
    expect(cloud.machines.backups.repositories.size).toBe(0);
    expect(cluster).toMatchObject({
      status: "failed",
      statusReason: expect.stringMatching(says),
      activeOperationId: null,
    });
    expect(await cloud.ports.store.findClusterByName("orders")).toBeNull();
    const broken = operation.steps.find((one) => one.name === step);
    expect(broken?.detail).toMatch(/.+/);
    const after = stepNames.slice(stepNames.indexOf(step) + 1);
    const skipped = operation.steps.filter((one) => one.state === "skipped").map((one) => one.name);
    expect(after).toEqual(expect.arrayContaining(skipped));
  });

  test("at a command that never answers", async () => {
    await using cloud = await openCloud(dynamodb);
    cloud.machines.behaviours.set("prepare", { kind: "silent" });
    const { operation } = await new ControlPlane(cloud).create({ name: "orders", members: 1 });
    expectUnwound(operation, {
      state: "failed",
      message: /answer to prepare .* did not happen within \d+ s/,
    });
    expect(operation.error?.code).toBe("command-deadline");
    expect(await cloud.leftovers()).toEqual([]);
  });
});

describe("what a create that fails has archived", () => {
  test("goes once no machine writes there any more, and leaves the archives of others alone", async () => {
    await using cloud = await openCloud(dynamodb);
    const neighbour = await new ControlPlane(cloud).create({ name: "invoices", members: 1 });
    const seen: { clusterId: string; machines: number | undefined; hadStanza: boolean }[] = [];
    const repositories: MakingPorts["repositories"] = {
      removeAll: async (place, forMs) => {
        const { clusterId } = place;
        const { instance: machines } = await inventory(cloud);
        const hadStanza = cloud.machines.backups.repositories.has(clusterId);
        seen.push({ clusterId, machines, hadStanza });
        return cloud.ports.repositories.removeAll(place, forMs);
      },
    };
    refuses("verify")(cloud);
    const plane = new ControlPlane(cloud, { ...cloud.ports, repositories });
    const { operation } = await plane.create({ name: "orders", members: 3 });
    expectUnwound(operation, { state: "failed", message: /verify is broken/ });
    expect(seen).toEqual([{ clusterId: operation.clusterId, machines: 1, hadStanza: true }]);
    expect([...cloud.machines.backups.repositories.keys()]).toEqual([neighbour.operation.clusterId]);
  });

  test("and S3 does not remove is named, and stays readable until somebody deletes the cluster", async () => {
    await using cloud = await openCloud(dynamodb);
    refuses("verify")(cloud);
    cloud.machines.backups.removalFailure = "S3 does not delete an object: AccessDenied";
    const plane = new ControlPlane(cloud);
    const { operation } = await plane.create({ name: "orders", members: 1 });
    expect(operation.error?.message).toMatch(/verify is broken.*cipher-pass: S3 does not delete an object/s);
    expect(await cloud.leftovers()).toEqual(
      expect.arrayContaining([expect.stringMatching(/^parameter .*\/backup\//)]),
    );
    expect((await plane.delete(operation.clusterId)).state).toBe("succeeded");
    expect(await cloud.leftovers()).toEqual([]);
  });
});

describe("a create that is cancelled removes everything that it had made", () => {
  test.each(["nothing", ...stepNames])("while it does %s", async (name) => {
    await using cloud = await openCloud(dynamodb);
    const plane = new ControlPlane(cloud);
    onStep(cloud.ports.store, async (step, id) => {
      if (step.name === name && step.state === "running") await plane.requestCancel(await plane.read(id));
    });
    const written = await plane.writeCreate({ name: "orders", members: 2 });
    if (name === "nothing") await plane.requestCancel(written);
    const operation = await plane.carryOut(written);
    expectUnwound(operation, { state: "cancelled", message: /was cancelled/ });
    expect(operation.error?.code).toBe("cancelled");
    expect(await cloud.leftovers()).toEqual([]);
    expect(cloud.machines.backups.repositories.size).toBe(0);
  });
});

describe("a zone without room", () => {
  test("is left for another one, with interface and volume", async () => {
    await using cloud = await openCloud(dynamodb);
    cloud.ec2.setCapacity("local-1b", 0);
    const { operation, cluster } = await new ControlPlane(cloud).create({ name: "orders", members: 3 });
    expect(operation.state).toBe("succeeded");
    expect(cluster?.nodes.map((node) => node.zone)).toEqual(["local-1a", "local-1c", "local-1c"]);
    expect(cluster?.nodes[1]?.address).toMatch(/^198\.18\.2\./);
    expect(await inventory(cloud)).toEqual(inventoryOf(3));
    expect(operation.steps.find((step) => step.name === "instances")?.detail).toContain(
      "local-1b had no room",
    );
  });

  test("like all others fails the create, which names them and leaves nothing", async () => {
    await using cloud = await openCloud(dynamodb);
    for (const zone of zones) cloud.ec2.setCapacity(zone, 0);
    const { operation } = await new ControlPlane(cloud).create({ name: "orders", members: 3 });
    expectUnwound(operation, { state: "failed", message: /local-1a.*local-1b.*local-1c/ });
    expect(operation.error?.code).toBe("no-capacity");
    expect(await cloud.leftovers()).toEqual([]);
  });
});

describe("what passes by itself does not fail a create", () => {
  const making = [
    ["ec2", "CreateSecurityGroup"],
    ["ec2", "CreateVolume"],
    ["ec2", "CreateNetworkInterface"],
    ["ec2", "RunInstances"],
    ["ec2", "AttachVolume"],
    ["ssm", "PutParameter"],
    ["ssm", "SendCommand"],
  ] as const;

  test("throttling of every call that makes something", async () => {
    await using cloud = await openCloud(dynamodb);
    for (const [service, action] of making) {
      cloud.faults.add({ service, action, times: 2, effect: { kind: "throttle" } });
    }
    const { operation } = await new ControlPlane(cloud).create({ name: "orders", members: 2 });
    expect(operation.state).toBe("succeeded");
    expect(await inventory(cloud)).toEqual(inventoryOf(2));
  });

  test.each(making)("the lost answer of %s %s: nothing is made twice", async (service, action) => {
    await using cloud = await openCloud(dynamodb);
    cloud.faults.add({ service, action, effect: { kind: "drop-answer" } });
    const { operation } = await new ControlPlane(cloud).create({ name: "orders", members: 2 });
    expect(operation.state).toBe("succeeded");
    expect(await inventory(cloud)).toEqual(inventoryOf(2));
  });
});

test("what could not be undone is named, stays on record, and goes with a delete", async () => {
  await using cloud = await openCloud(dynamodb);
  const error = (code: string) => ({ kind: "error", code }) as const;
  cloud.faults.add({
    service: "ec2",
    action: "DeleteVolume",
    times: 50,
    effect: error("UnauthorizedOperation"),
  });
  cloud.faults.add({
    service: "ssm",
    action: "DeleteParameters",
    times: 50,
    effect: error("AccessDeniedException"),
  });
  refuses("verify")(cloud);
  const plane = new ControlPlane(cloud);
  const { operation, cluster } = await plane.create({ name: "orders", members: 2 });
  expect(operation.state).toBe("failed");
  expect(operation.error?.message).toMatch(/verify is broken.*Undoing failed at 5 things/);
  expect(operation.error?.message).toMatch(/volumes on node .*volumes on node /);
  expect(operation.error?.message).toMatch(/passwords: .*authority: /);
  expect(operation.steps.find((step) => step.name === "volumes")?.state).toBe("undo-failed");
  expect(operation.steps.find((step) => step.name === "instances")?.state).toBe("undone");
  expect(cluster).toMatchObject({ status: "failed", nodes: [{}, {}] });
  expect(await cloud.ports.store.findClusterByName("orders")).toBeNull();
  cloud.faults.clear();
  const deleted = await plane.delete(operation.clusterId);
  expect(deleted.state).toBe("succeeded");
  expect(await cloud.leftovers()).toEqual([]);
});
