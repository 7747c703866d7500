import { readFile } from "node:fs/promises";
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { canConnect, Lab, nodeImage } from "./support/machines.ts";

let image: string;
let lab: Lab;
beforeAll(async () => {
  image = await nodeImage();
});
beforeEach(async () => {
  lab = await Lab.create(image);
});
afterEach(async () => {
  await lab[Symbol.asyncDispose]();
});

const waitOptions = { timeout: 20_000, interval: 50 };

describe("a machine", () => {
  test("boots with its name, its address, its own identity and the loader, and takes commands at once", async () => {
    const machines = [lab.machine(4), lab.machine(5)];
    await Promise.all(machines.map((machine) => lab.driver.boot(machine)));
    const [first, second] = await Promise.all(
      machines.map((machine) =>
        lab.shell(machine, "hostname; ip -4 -o addr show eth0 | grep -o 198[.0-9]*; cat /etc/machine-id"),
      ),
    );
    expect(first?.split("\n").slice(0, 2)).toEqual(["machine-4", machines[0]?.interface.address]);
    expect(first?.split("\n")[2]).toMatch(/^[0-9a-f]{32}$/);
    expect(second?.split("\n")[2]).not.toBe(first?.split("\n")[2]);
    const [machine] = machines;
    if (machine === undefined) throw new Error("no machine");
    expect(await lab.shell(machine, "/usr/lib/pgherd/run")).toBe("loader");
    expect(await lab.shell(machine, "systemctl list-units --failed --plain --no-legend")).toBe("");
  });

  test("has no ready-made PostgreSQL cluster, and none of the packages' services runs", async () => {
    const machine = lab.machine(4);
    await lab.driver.boot(machine);
    expect(await lab.shell(machine, "ls /var/lib/postgresql/17 2>/dev/null || true")).toBe("");
    const exporters = ["node", "postgres", "pgbouncer"].map((name) => `prometheus-${name}-exporter`);
    const units = `postgresql patroni etcd haproxy pgbouncer ${exporters.join(" ")}`;
    const states = await lab.shell(machine, `systemctl is-active ${units} || true`);
    expect(new Set(states.split("\n"))).toEqual(new Set(["inactive"]));
  });

  test("goes on when whoever booted it is gone, and is found again", async () => {
    const machine = lab.machine(4);
    await lab.driver.boot(machine);
    const boot = "cat /proc/sys/kernel/random/boot_id; stat -c %Y /proc/1";
    const before = await lab.shell(machine, boot);
    const next = lab.anotherDriver();
    await next.boot(machine);
    expect(await next.isRunning(machine.instanceId)).toBe(true);
    expect(await lab.shell(machine, boot)).toBe(before);
  });

  test("that reboots itself comes back by itself, with its files", async () => {
    const machine = lab.machine(4);
    await lab.driver.boot(machine);
    await lab.shell(machine, "touch /run/before; echo kept > /root/file; systemctl reboot");
    await vi.waitFor(
      async () =>
        expect(await lab.shell(machine, "ls /run/before 2>/dev/null || cat /root/file")).toBe("kept"),
      waitOptions,
    );
  });

  test("that powers itself off says so; one that is killed says nothing", async () => {
    const [off, killed] = [lab.machine(4), lab.machine(5)];
    await Promise.all([lab.driver.boot(off), lab.driver.boot(killed)]);
    await lab.shell(off, "systemctl poweroff");
    await vi.waitFor(async () => expect(await lab.driver.isRunning(off.instanceId)).toBe(false), waitOptions);
    expect(await lab.driver.exitStatus(off.instanceId)).toBe(0);
    await lab.driver.kill(killed.instanceId);
    expect(await lab.driver.isRunning(killed.instanceId)).toBe(false);
    expect(await lab.driver.exitStatus(killed.instanceId)).toBeNull();
  });

  test("that is off takes no commands", async () => {
    const machine = lab.machine(4);
    await lab.driver.boot(machine);
    await lab.driver.stop(machine.instanceId);
    await expect(lab.shell(machine, "true")).rejects.toThrow(`${machine.instanceId} is not running`);
  });

  test("whose container process is killed is gone as a whole, and boots again", async () => {
    const machine = lab.machine(4);
    await lab.driver.boot(machine);
    const init = await hostPid(lab, machine.instanceId);
    const { ppid } = await parentOf(init);
    process.kill(ppid, "SIGKILL");
    await vi.waitFor(
      async () => expect(await lab.driver.isRunning(machine.instanceId)).toBe(false),
      waitOptions,
    );
    await lab.driver.boot(machine);
    expect(await lab.shell(machine, "echo up")).toBe("up");
  });
});

describe("a command", () => {
  test("that is late is killed together with what it started", async () => {
    const machine = lab.machine(4);
    await lab.driver.boot(machine);
    const result = await lab.driver.execute(machine.instanceId, {
      argv: ["/bin/sh", "-c", "sleep 300 & echo begun; sleep 300"],
      environment: {},
      timeoutSeconds: 1,
      outputBytesMax: 1024,
    });
    expect(result).toMatchObject({ exitCode: 137, stdout: "begun\n" });
    await vi.waitFor(
      async () => expect(await lab.shell(machine, "ps -C sleep -o pid= || true")).toBe(""),
      waitOptions,
    );
  });

  test("gets its input and its environment, and no more of its output is kept than was asked for", async () => {
    const machine = lab.machine(4);
    await lab.driver.boot(machine);
    const result = await lab.driver.execute(machine.instanceId, {
      argv: ["/bin/sh", "-c", 'cat; printf %s "$COLOUR"; yes | head -c 100000'],
      environment: { COLOUR: "blue" },
      stdin: "input ",
      timeoutSeconds: 20,
      outputBytesMax: 20,
    });
    expect(result.stdout).toBe("input bluey\ny\ny\ny\ny\n");
  });
});

describe("ingress", () => {
  const listen = "systemd-run --quiet --unit=listen python3 -m http.server";

  test("is what the rules say: shut without a rule, open with one, shut again without", async () => {
    const machine = lab.machine(4);
    const { address } = machine.interface;
    await lab.driver.boot(machine);
    await lab.shell(machine, `${listen} 5000`);
    await vi.waitFor(() => lab.shell(machine, "ss -tln | grep -q :5000"), waitOptions);
    expect(await canConnect(address, 5000)).toBe(false);
    const rule = { protocol: "tcp", fromPort: 5000, toPort: 5001, cidrs: [lab.cidr] } as const;
    await lab.driver.applyIngress(machine.instanceId, [rule]);
    expect(await canConnect(address, 5000)).toBe(true);
    await lab.driver.applyIngress(machine.instanceId, [{ ...rule, cidrs: ["192.0.2.7/32"] }]);
    expect(await canConnect(address, 5000)).toBe(false);
  });

  test("holds from the first moment of a boot, also of one that nobody looks after", async () => {
    const machine = lab.machine(4);
    const { address } = machine.interface;
    const rule = { protocol: "tcp", fromPort: 5000, toPort: 5000, cidrs: [lab.cidr] } as const;
    await lab.driver.applyIngress(machine.instanceId, [rule]);
    await lab.driver.boot(machine);
    await lab.shell(machine, `${listen} 5000; ${listen.replace("=listen", "=other")} 5001`);
    const bothListen = "ss -tln | grep -q :5000 && ss -tln | grep -q :5001";
    await vi.waitFor(() => lab.shell(machine, bothListen), waitOptions);
    expect([await canConnect(address, 5000), await canConnect(address, 5001)]).toEqual([true, false]);
  });
});

test("a machine that takes over another's interface answers at its address", async () => {
  const first = lab.machine(4);
  await lab.driver.boot(first);
  await lab.driver.remove(first.instanceId);
  const second = lab.machine(9, first);
  await lab.driver.boot(second);
  expect(await lab.shell(second, "cat /etc/hostname; ip -o link show eth0 | grep -o 02:00:[0-9a-f:]*")).toBe(
    `machine-9\n${first.interface.macAddress}`,
  );
});

async function hostPid(of: Lab, instanceId: string): Promise<number> {
  const { Cgroup } = await import("../../local/machines/cgroup.ts");
  const pid = await new Cgroup(of.bridge, instanceId).leader();
  if (pid === undefined) throw new Error(`${instanceId} has no process 1`);
  return pid;
}

async function parentOf(pid: number): Promise<{ ppid: number }> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return { ppid: Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]) };
}
