import {
  DescribeInstancesCommand,
  DescribeNetworkInterfacesCommand,
  DescribeVolumesCommand,
  RebootInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { codeOf, type Ec2, startEc2 } from "./support/ec2.ts";

let ec2: Ec2;
beforeEach(async () => {
  ec2 = await startEc2();
});
afterEach(async () => {
  await ec2.close();
});

/** What a control plane finds that starts again over the same state and the same machines. */
async function restarted(): Promise<Ec2> {
  await ec2.close();
  ec2 = await startEc2(ec2.documents, ec2.driver);
  return ec2;
}

describe("an instance", () => {
  test("is pending when RunInstances answers, and running once its machine has booted", async () => {
    let release = () => {};
    ec2.driver.hold = new Promise((resolve) => {
      release = resolve;
    });
    const networkInterface = await ec2.world.networkInterface();
    const launched = await ec2.world.launch(networkInterface.id);
    expect(launched.State?.Name).toBe("pending");
    release();
    const running = await ec2.world.reaches(launched.InstanceId ?? "", "running");
    expect(running.PrivateIpAddress).toBe(networkInterface.address);
    expect(running.NetworkInterfaces?.[0]?.NetworkInterfaceId).toBe(networkInterface.id);
    expect(running.Placement?.AvailabilityZone).toBe("local-1a");
    expect(running.Tags).toEqual([{ Key: "from", Value: "template" }]);
    expect(running.IamInstanceProfile?.Arn).toMatch(/instance-profile\/node$/);
  });

  test("is made once for one client token, also when two calls arrive at once", async () => {
    const { id } = await ec2.world.networkInterface();
    const answers = await Promise.all([ec2.world.launch(id, "token"), ec2.world.launch(id, "token")]);
    expect(new Set(answers.map((one) => one.InstanceId)).size).toBe(1);
    await ec2.world.reaches(answers[0]?.InstanceId ?? "", "running");
    expect(ec2.driver.boots).toHaveLength(1);
  });

  test("is refused for a token that was used with other parameters", async () => {
    const { id } = await ec2.world.networkInterface();
    await ec2.world.launch(id, "token");
    expect(await codeOf(ec2.world.launch(id, "token", "t4g.medium"))).toBe("IdempotentParameterMismatch");
  });

  test("that is terminated is still what its token answers", async () => {
    const { id } = await ec2.world.networkInterface();
    const first = await ec2.world.launch(id, "token");
    await ec2.client.send(new TerminateInstancesCommand({ InstanceIds: [first.InstanceId ?? ""] }));
    await ec2.world.reaches(first.InstanceId ?? "", "terminated");
    const again = await ec2.world.launch(id, "token");
    expect(again.InstanceId).toBe(first.InstanceId);
    expect(again.State?.Name).toBe("terminated");
  });

  test("takes its interface: a second instance on it is refused", async () => {
    const { id } = await ec2.world.networkInterface();
    await ec2.world.launch(id);
    expect(await codeOf(ec2.world.launch(id))).toBe("InvalidNetworkInterface.InUse");
  });

  test("whose boot fails is terminated with the reason, and leaves its interface free", async () => {
    ec2.driver.bootError = new Error("no such kernel");
    const { id } = await ec2.world.networkInterface();
    const launched = await ec2.world.launch(id);
    const failed = await ec2.world.reaches(launched.InstanceId ?? "", "terminated");
    expect(failed.StateReason).toEqual({ Code: "Server.InternalError", Message: "no such kernel" });
    const interfaces = await ec2.client.send(
      new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [id] }),
    );
    expect(interfaces.NetworkInterfaces?.[0]?.Status).toBe("available");
  });

  test("finds no room in a zone without capacity, and nothing of it is left", async () => {
    ec2.ec2.setCapacity("local-1a", 0);
    const { id } = await ec2.world.networkInterface();
    expect(await codeOf(ec2.world.launch(id, "token"))).toBe("InsufficientInstanceCapacity");
    const answer = await ec2.client.send(new DescribeInstancesCommand({}));
    expect(answer.Reservations).toEqual([]);
    ec2.ec2.setCapacity("local-1a", null);
    expect((await ec2.world.launch(id, "token")).State?.Name).toBe("pending");
  });
});

describe("terminating", () => {
  test("frees interface and volume, which outlive the instance, and leaves it visible", async () => {
    const { id, interfaceId } = await ec2.world.running();
    const volumeId = await ec2.world.volume();
    await ec2.world.attach(volumeId, id);
    await ec2.client.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
    const gone = await ec2.world.reaches(id, "terminated");
    expect(gone.PrivateIpAddress).toBeUndefined();
    const volumes = await ec2.client.send(new DescribeVolumesCommand({ VolumeIds: [volumeId] }));
    expect(volumes.Volumes?.[0]?.State).toBe("available");
    expect(ec2.driver.attached.size).toBe(0);
    const interfaces = await ec2.client.send(
      new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [interfaceId] }),
    );
    expect(interfaces.NetworkInterfaces?.[0]?.Attachment).toBeUndefined();
  });

  test("ends an instance that is still booting", async () => {
    ec2.driver.hold = new Promise(() => {});
    const { id } = await ec2.world.networkInterface();
    const launched = await ec2.world.launch(id);
    await vi.waitFor(() => expect(ec2.driver.boots).toHaveLength(1));
    await ec2.client.send(new TerminateInstancesCommand({ InstanceIds: [launched.InstanceId ?? ""] }));
    await ec2.world.reaches(launched.InstanceId ?? "", "terminated");
    expect(ec2.driver.running.size).toBe(0);
  });

  test("can be repeated", async () => {
    const { id } = await ec2.world.running();
    const terminate = () => ec2.client.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
    await terminate();
    await ec2.world.reaches(id, "terminated");
    const again = await terminate();
    expect(again.TerminatingInstances?.[0]?.CurrentState?.Name).toBe("terminated");
  });
});

describe("start, stop and reboot", () => {
  test("really start and stop the machine", async () => {
    const { id } = await ec2.world.running();
    await ec2.client.send(new StopInstancesCommand({ InstanceIds: [id] }));
    await ec2.world.reaches(id, "stopped");
    expect(ec2.driver.running.size).toBe(0);
    await ec2.client.send(new StartInstancesCommand({ InstanceIds: [id] }));
    await ec2.world.reaches(id, "running");
    expect(ec2.driver.running).toEqual(new Set([id]));
  });

  test("a machine that answers is asked to reboot, one that crashed is booted", async () => {
    const { id } = await ec2.world.running();
    await ec2.client.send(new RebootInstancesCommand({ InstanceIds: [id] }));
    await vi.waitFor(() => expect(ec2.driver.commands).toEqual([`${id}: systemctl reboot`]));
    ec2.driver.running.clear();
    await ec2.client.send(new RebootInstancesCommand({ InstanceIds: [id] }));
    await vi.waitFor(() => expect(ec2.driver.running).toEqual(new Set([id])));
  });

  test("a stopped instance cannot be rebooted", async () => {
    const { id } = await ec2.world.running();
    await ec2.client.send(new StopInstancesCommand({ InstanceIds: [id] }));
    await ec2.world.reaches(id, "stopped");
    expect(await codeOf(ec2.client.send(new RebootInstancesCommand({ InstanceIds: [id] })))).toBe(
      "IncorrectInstanceState",
    );
  });
});

describe("a control plane that was killed", () => {
  test("boots at its next start what had not booted", async () => {
    ec2.driver.hold = new Promise(() => {});
    const { id } = await ec2.world.networkInterface();
    const launched = await ec2.world.launch(id);
    ec2.driver.hold = null;
    const next = await restarted();
    await next.ec2.recover();
    expect((await next.world.describe(launched.InstanceId ?? "")).State?.Name).toBe("running");
  });

  test("starts machines that are down and leaves those alone that run", async () => {
    const crashed = await ec2.world.running();
    const healthy = await ec2.world.running();
    const boots = ec2.driver.boots.length;
    ec2.driver.running.delete(crashed.id);
    const next = await restarted();
    await next.ec2.recover();
    expect(next.driver.boots.slice(boots)).toEqual([crashed.id]);
    expect(next.driver.running).toEqual(new Set([crashed.id, healthy.id]));
  });

  test("leaves machines off that shut themselves down", async () => {
    const { id } = await ec2.world.running();
    ec2.driver.running.delete(id);
    ec2.driver.exits.set(id, 0);
    const next = await restarted();
    await next.ec2.recover();
    const stopped = await next.world.describe(id);
    expect(stopped.State?.Name).toBe("stopped");
    expect(stopped.StateReason?.Code).toBe("Client.InstanceInitiatedShutdown");
  });

  test("finishes a termination", async () => {
    const { id } = await ec2.world.running();
    const state = ec2.documents.collection<{ state: string; intent: string }>("ec2-instances");
    const record = state.get(id);
    state.put(id, { ...record, state: "shutting-down", intent: "terminate" });
    const next = await restarted();
    await next.ec2.recover();
    expect((await next.world.describe(id)).State?.Name).toBe("terminated");
    expect(next.driver.running.size).toBe(0);
  });

  test("that suspends its machines starts the same ones again", async () => {
    const { id } = await ec2.world.running();
    await ec2.ec2.suspend();
    expect(ec2.driver.running.size).toBe(0);
    const next = await restarted();
    await next.ec2.recover();
    expect(next.driver.running).toEqual(new Set([id]));
  });
});

test("a machine that crashes shows up as stopped by itself", async () => {
  await ec2.ec2.recover();
  const { id } = await ec2.world.running();
  ec2.driver.running.delete(id);
  const crashed = await vi.waitFor(() => ec2.world.reaches(id, "stopped"), { timeout: 5_000 });
  expect(crashed.StateReason?.Code).toBe("Server.InternalError");
});
