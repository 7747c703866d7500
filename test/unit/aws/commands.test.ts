import { expect, test } from "vitest";
import { SsmNodeCommands } from "../../../layers/aws/commands.ts";
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
