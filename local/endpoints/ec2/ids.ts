import { createHash, randomBytes } from "node:crypto";

/** As EC2 writes ids: a prefix and 17 hexadecimal digits. */
const digits = 17;

const resourcePrefixes = {
  instance: "i",
  reservation: "r",
  volume: "vol",
  "network-interface": "eni",
  "security-group": "sg",
  vpc: "vpc",
  subnet: "subnet",
  "launch-template": "lt",
} as const;
export type ResourceType = keyof typeof resourcePrefixes;

export function newId(type: ResourceType | "attachment"): string {
  const prefix = type === "attachment" ? "eni-attach" : resourcePrefixes[type];
  // EC2's own long ids begin with 0.
  return `${prefix}-0${randomBytes(8).toString("hex")}`;
}

/** The same id for the same thing of a template, however often it is deployed. */
export function idFor(type: ResourceType, key: string): string {
  const hash = createHash("sha256").update(`${type}\0${key}`).digest("hex");
  return `${resourcePrefixes[type]}-0${hash.slice(0, digits - 1)}`;
}

export function typeOfId(id: string): ResourceType | null {
  const prefix = id.slice(0, id.lastIndexOf("-"));
  const found = Object.entries(resourcePrefixes).find(([, value]) => value === prefix);
  return found === undefined ? null : (found[0] as ResourceType);
}

export function isWellFormed(type: ResourceType, id: string): boolean {
  return new RegExp(`^${resourcePrefixes[type]}-([0-9a-f]{8}|[0-9a-f]{17})$`).test(id);
}
