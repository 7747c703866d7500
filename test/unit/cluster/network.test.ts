import { expect, test } from "vitest";
import { networkOf } from "../../../layers/domain/cluster/network.ts";

test.each([
  ["10.0.0.0/8", "10.0.0.0/8"],
  ["10.1.2.3/8", "10.0.0.0/8"],
  ["192.168.129.1/17", "192.168.128.0/17"],
  ["192.0.2.77/32", "192.0.2.77/32"],
  ["255.255.255.255/31", "255.255.255.254/31"],
  ["8.8.8.8/0", "0.0.0.0/0"],
])("%s lies in %s", (cidr, network) => {
  expect(networkOf(cidr)).toBe(network);
});
