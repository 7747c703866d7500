import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { MachineSpec } from "../../local/machines/driver.ts";
import { Lab, nodeImage } from "./support/machines.ts";

const scripts = join(import.meta.dirname, "../../infra/node-image-aws");
/** The one that Debian has, and so every machine here. */
const version = "17";
/** `initdb`, and an election of etcd. */
const scriptSeconds = 50;

const agentPackage = (agentVersion: string): string => `set -eu
cd "$(mktemp -d)"
mkdir -p agent/DEBIAN agent/usr/lib/systemd/system
printf '%s\\n' 'Package: amazon-ssm-agent' 'Version: ${agentVersion}' 'Architecture: all' \\
  'Maintainer: Tests <tests@example.com>' 'Description: stands for the agent' >agent/DEBIAN/control
printf '%s\\n' [Service] ExecStart=/bin/true [Install] WantedBy=multi-user.target \\
  >agent/usr/lib/systemd/system/amazon-ssm-agent.service
dpkg-deb --build agent agent.deb >/dev/null
dpkg -i agent.deb >/dev/null
systemctl enable --quiet amazon-ssm-agent.service`;

/** What runs on the machines that Image Builder starts from an image, on a machine of the common recipe. */
describe("an image for AWS", () => {
  let lab: Lab;
  let machine: MachineSpec;

  beforeEach(async () => {
    lab = await Lab.create(await nodeImage());
    machine = lab.machine(4);
    await lab.driver.boot(machine);
  });
  afterEach(async () => {
    await lab[Symbol.asyncDispose]();
  });

  async function run(script: string) {
    const text = await readFile(join(scripts, script), "utf8");
    return lab.driver.execute(machine.instanceId, {
      argv: ["/bin/sh", "-c", text, script, version],
      environment: {},
      timeoutSeconds: scriptSeconds,
      outputBytesMax: 64 * 1024,
    });
  }

  test("boots etcd, Patroni, PostgreSQL and HAProxy once, and leaves nothing of them", async () => {
    const { exitCode, stdout, stderr } = await run("smoke-test.sh");
    expect(stdout, stderr).toBe(`PostgreSQL ${version}, Patroni, etcd and HAProxy work together\n`);
    expect(exitCode).toBe(0);
    const left = "pgrep -l 'etcd|patroni|postgres|haproxy' || ls -A /var/tmp | grep pgherd || true";
    expect(await lab.shell(machine, left)).toBe("");
  });

  test("that cannot boot says at once what had ended, in its own words", async () => {
    await lab.shell(machine, "printf '#!/bin/sh\\necho no configuration >&2\\nexit 1\\n' >/usr/bin/patroni");
    const { exitCode, stderr } = await run("smoke-test.sh");
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`a program has ended while Patroni with PostgreSQL ${version} was waited for`);
    expect(stderr).toContain("no configuration");
  });

  test("is looked through, and whatever is wrong with it is named", async () => {
    const steps: readonly (readonly [mend: string, says: string])[] = [
      ["true", "the SSM agent is not installed"],
      [agentPackage("3.3.1000.0"), "the SSM agent is 3.3.1000.0, and commands need 3.3.2746.0"],
      [agentPackage("3.3.4177.0"), "ssh.service is not-found, and nobody is to log in"],
      [
        "systemctl mask --quiet ssh.service ssh.socket; mv /usr/lib/pgherd/run /root",
        "the loader of the node program is not there",
      ],
      [
        "mv /root/run /usr/lib/pgherd; mkdir -p /var/lib/postgresql/17/main",
        "PostgreSQL 17 has a cluster that nobody asked for",
      ],
    ];
    for (const [mend, says] of steps) {
      await lab.shell(machine, mend);
      const { exitCode, stderr } = await run("check.sh");
      expect([exitCode, stderr.trim()]).toEqual([1, says]);
    }
    await lab.shell(machine, "rmdir /var/lib/postgresql/17/main");
    const { stdout, stderr } = await run("check.sh");
    expect(stdout, stderr).toBe("the image is a node's: SSM agent 3.3.4177.0\n");
  });
});
