import { optionalText, requiredText, textList } from "../input.ts";
import { ServiceError } from "../service.ts";
import type { ManagedMachine } from "./agent.ts";

type Input = Readonly<Record<string, unknown>>;

export function matchesTarget(machine: ManagedMachine, target: Input): boolean {
  const key = requiredText(target, "Key");
  const values = textList(target, "Values");
  if (key === "InstanceIds") return values.includes(machine.instanceId);
  if (key.startsWith("tag:")) {
    const value = machine.tags[key.slice("tag:".length)];
    return value !== undefined && values.includes(value);
  }
  throw new ServiceError("InvalidTarget", `The target key ${key} is not supported here.`);
}

export function matchesInformationFilter(machine: ManagedMachine, filter: Input): boolean {
  const key = optionalText(filter, "Key") ?? requiredText(filter, "key");
  const values = [...textList(filter, "Values"), ...textList(filter, "valueSet")];
  if (key === "InstanceIds") return values.includes(machine.instanceId);
  if (key === "PingStatus") return values.includes("Online");
  if (key.startsWith("tag:")) return values.includes(machine.tags[key.slice("tag:".length)] ?? "");
  throw new ServiceError("InvalidInstanceInformationFilterValue", `The filter ${key} is not supported here.`);
}
