import { randomBytes } from "node:crypto";
import { runProgram } from "../machines/program.ts";

/** Benchmarking addresses (RFC 2544): nobody's network, 128 blocks of 1024. */
const firstOctets = "198";
const secondOctets = [18, 19];
const blocksPerOctet = 64;
const addressesPerBlockStep = 4;
const prefixLength = 22;

/** Block → the interface of this machine that has an address in it. */
export async function usedBlocks(): Promise<Map<string, string>> {
  const listed = JSON.parse(await runProgram("ip", ["-json", "-4", "address", "show"])) as {
    ifname?: string;
    addr_info?: { local?: string }[];
  }[];
  return new Map(
    listed.flatMap(({ ifname, addr_info }) =>
      (addr_info ?? []).map(({ local }): [string, string] => [blockOf(local ?? ""), ifname ?? ""]),
    ),
  );
}

/** A network that no interface of this machine is in: `198.19.244.0/22`. */
export async function freeBlock(): Promise<string> {
  const used = await usedBlocks();
  const free = secondOctets
    .flatMap((second) =>
      Array.from({ length: blocksPerOctet }, (_, index) => `${second}.${index * addressesPerBlockStep}`),
    )
    .filter((block) => !used.has(block));
  // Not the first one: an environment that is stopped on a rebooted machine has no bridge to show its block.
  const choice = free[randomBytes(1).readUInt8() % Math.max(1, free.length)];
  if (choice === undefined)
    throw new Error(
      "all 128 networks of 198.18.0.0/15 are taken: destroy an environment with npm run destroy",
    );
  return `${firstOctets}.${choice}.0/${prefixLength}`;
}

export function blockOf(address: string): string {
  const [, second = "", third = "0"] = address.split(".");
  return `${second}.${Math.floor(Number(third) / addressesPerBlockStep) * addressesPerBlockStep}`;
}
