import { createHash } from "node:crypto";

/** IPv4 arithmetic on what is written as text everywhere else. */

export interface Network {
  readonly first: number;
  readonly last: number;
  readonly prefixLength: number;
}

export function parseAddress(text: string): number {
  const parts = text.split(".").map(Number);
  const valid =
    parts.length === 4 && parts.every((part) => Number.isInteger(part) && part >= 0 && part <= 255);
  if (!valid) throw new Error(`${text} is not an IPv4 address`);
  return parts.reduce((value, part) => value * 256 + part, 0);
}

export function formatAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");
}

export function parseNetwork(cidr: string): Network {
  const [address = "", length = ""] = cidr.split("/");
  const prefixLength = Number(length);
  if (!/^\d{1,2}$/.test(length) || prefixLength > 32) throw new Error(`${cidr} is not an IPv4 network`);
  const size = 2 ** (32 - prefixLength);
  const first = Math.floor(parseAddress(address) / size) * size;
  return { first, last: first + size - 1, prefixLength };
}

/** The address of the environment's bridge: the first of its network. Machines reach everything of ours there. */
export function gatewayAddress(cidr: string): string {
  return formatAddress(parseNetwork(cidr).first + 1);
}

/** A locally administered address that is always the same for the same name. */
export function macAddressOf(name: string): string {
  const bytes = createHash("sha256").update(name).digest().subarray(0, 5);
  return ["02", ...Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"))].join(":");
}
