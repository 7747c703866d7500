import { describe, expect, test } from "vitest";
import {
  formatAddress,
  gatewayAddress,
  macAddressOf,
  parseAddress,
  parseNetwork,
} from "../../../local/machines/addresses.ts";
import { ingressRules } from "../../../local/machines/ingress.ts";
import { deviceRules, freeDevice } from "../../../local/machines/machine-files.ts";
import { portOf } from "../../../local/machines/network.ts";

describe("addresses", () => {
  test("read and written are the same", () => {
    for (const text of ["0.0.0.0", "198.18.255.1", "255.255.255.255"]) {
      expect(formatAddress(parseAddress(text))).toBe(text);
    }
  });

  test("a network begins and ends where its prefix says", () => {
    const { first, last } = parseNetwork("198.19.5.9/22");
    expect([first, last].map(formatAddress)).toEqual(["198.19.4.0", "198.19.7.255"]);
    expect(gatewayAddress("198.19.5.9/22")).toBe("198.19.4.1");
  });

  test.each(["10.0.0.0", "10.0.0.0/33", "10.0.0/8", "10.0.0.256/8", "a.b.c.d/8"])(
    "%s is no network",
    (text) => {
      expect(() => parseNetwork(text)).toThrow();
    },
  );

  test("MAC addresses are locally administered, no multicast, and follow from the name", () => {
    const address = macAddressOf("eni-0123");
    expect(address).toMatch(/^02(:[0-9a-f]{2}){5}$/);
    expect(macAddressOf("eni-0123")).toBe(address);
    expect(macAddressOf("eni-0124")).not.toBe(address);
  });

  test("a port's name fits into what Linux allows", () => {
    expect(portOf("eni-0123456789abcdef0").length).toBeLessThanOrEqual(15);
  });
});

describe("the firewall of a machine", () => {
  test("drops what no rule lets in", () => {
    const rules = ingressRules([]);
    expect(rules).toContain("policy drop");
    expect(rules).not.toMatch(/saddr/);
  });

  test("lets in by protocol, port and source, each once", () => {
    const permission = { protocol: "tcp", fromPort: 5000, toPort: 5002, cidrs: ["10.0.0.0/8"] } as const;
    const rules = ingressRules([permission, permission]);
    expect(rules.match(/ip saddr 10\.0\.0\.0\/8 tcp dport 5000-5002 accept/g)).toHaveLength(1);
    expect(ingressRules([{ ...permission, protocol: "all" }])).toContain("ip saddr 10.0.0.0/8 accept");
  });

  test("takes nothing but addresses and ports into its text", () => {
    const permission = { protocol: "tcp", fromPort: 1, toPort: 1 } as const;
    expect(() => ingressRules([{ ...permission, cidrs: ["10.0.0.1 accept; flush ruleset"] }])).toThrow();
    expect(() => ingressRules([{ ...permission, toPort: 65_536, cidrs: ["10.0.0.1/32"] }])).toThrow();
  });
});

describe("the block devices of a machine", () => {
  test("get the first free name, the root file system's left out", () => {
    const taken = [1, 3].map((number) => ({ volumeId: `vol-${number}`, device: `nvme${number}n1` }));
    expect(freeDevice(taken)).toBe("nvme2n1");
  });

  test("are found by the volume's id, as on Nitro", () => {
    const loop = { name: "loop5", major: 7, minor: 5 };
    const rules = deviceRules([{ volumeId: "vol-0abc", device: "nvme1n1", loop }]);
    expect(rules).toContain("b+ /dev/nvme1n1 0660 root disk - 7:5\n");
    expect(rules).toContain(
      "L+ /dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0abc - - - - ../../nvme1n1\n",
    );
    expect(deviceRules([])).toBe("");
  });
});
