import { createSocket } from "node:dgram";
import { once } from "node:events";
import { afterEach, expect, test, vi } from "vitest";
import { SsmNodeCommands } from "../../../layers/aws/commands.ts";
import { newId } from "../../../layers/runtime/ids.ts";
import { newClusterId, newNodeId } from "../../api/support/fixtures.ts";
import { settings } from "../../api/support/world.ts";
import { startWire } from "./support/wire.ts";

test("an instance that SSM does not know yet is waited for, not given up", async () => {
  let asked = 0;
  await using wire = await startWire(() => {
    asked += 1;
    if (asked === 1) return { refusal: "InvalidInstanceId" };
    return { InstanceInformationList: asked === 2 ? [] : [{ InstanceId: "i-1", PingStatus: "Online" }] };
  });
  await new SsmNodeCommands(settings, wire.config).awaitOnline("i-1", 10);
  expect(asked).toBe(3);
});

test("an instance that never registers is told as such at the deadline", async () => {
  await using wire = await startWire(() => ({ refusal: "InvalidInstanceId" }));
  await expect(new SsmNodeCommands(settings, wire.config).awaitOnline("i-1", 0)).rejects.toMatchObject({
    code: "node-not-online",
    instanceId: "i-1",
  });
});

test("any other refusal is passed on at once", async () => {
  await using wire = await startWire(() => ({ refusal: "AccessDeniedException" }));
  await expect(new SsmNodeCommands(settings, wire.config).awaitOnline("i-1", 10)).rejects.toThrow(
    "AccessDeniedException",
  );
});

test("an answer is not asked for before it can be there, once it is known how long it takes", async () => {
  const tookMs = 500;
  let sentMs = 0;
  await using wire = await startWire(({ target }) => {
    if (target.endsWith(".SendCommand")) {
      sentMs = performance.now();
      return { Command: { CommandId: "11111111-2222-3333-4444-555555555555" } };
    }
    if (performance.now() - sentMs < tookMs) return { Status: "InProgress" };
    const output = { members: [], dcs: { quorum: false, members: [] } };
    return { Status: "Success", StandardOutputContent: JSON.stringify({ ok: true, output }) };
  });
  const commands = new SsmNodeCommands(settings, wire.config);
  const target = { instanceId: "i-1", operationId: newId("operation"), step: "observe", deadlineSeconds: 10 };
  const questions = async (): Promise<number> => {
    const before = wire.asked.length;
    await commands.run(target, "observe", { clusterId: newClusterId(), nodeId: newNodeId() });
    return wire.asked.length - before - 1;
  };
  const first = await questions();
  const second = await questions();
  expect(first).toBeGreaterThan(5);
  expect(second).toBeLessThanOrEqual(first / 2);
});

afterEach(() => vi.unstubAllEnvs());

test("a command on a node is told to X-Ray as a part of the call that it serves", async () => {
  const daemon = createSocket("udp4");
  daemon.bind({ address: "127.0.0.1", port: 0 });
  await once(daemon, "listening");
  vi.stubEnv("AWS_XRAY_DAEMON_ADDRESS", `127.0.0.1:${daemon.address().port}`);
  vi.stubEnv(
    "_X_AMZN_TRACE_ID",
    "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1",
  );
  const heard = once(daemon, "message");
  await using wire = await startWire(({ target }) =>
    target.endsWith(".SendCommand")
      ? { Command: { CommandId: "11111111-2222-3333-4444-555555555555" } }
      : { Status: "Failed", StandardOutputContent: '{"ok":false,"error":{"code":"lost","message":"gone"}}' },
  );

  const target = { instanceId: "i-1", operationId: newId("operation"), step: "observe", deadlineSeconds: 10 };
  const asked = new SsmNodeCommands(settings, wire.config).run(target, "observe", {
    clusterId: newClusterId(),
    nodeId: newNodeId(),
  });

  await expect(asked).rejects.toMatchObject({ code: "lost" });
  const [datagram] = (await heard) as [Buffer];
  daemon.close();
  const [header, document = ""] = datagram.toString().split("\n");
  expect(JSON.parse(header ?? "")).toEqual({ format: "json", version: 1 });
  expect(JSON.parse(document)).toMatchObject({
    trace_id: "1-67891233-abcdef012345678912345678",
    parent_id: "53995c3f42cd8ad8",
    name: "node observe",
    annotations: { verb: "observe", instanceId: "i-1", operationId: target.operationId },
    metadata: { error: "lost" },
  });
});
