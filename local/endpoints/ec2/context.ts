import type { Machines } from "./machines.ts";
import type { Ec2State } from "./state.ts";

/** What the calls of the EC2 endpoint work with. */
export interface Ec2Context {
  readonly state: Ec2State;
  readonly machines: Machines;
  readonly account: string;
  readonly region: string;
  readonly zones: readonly string[];
  readonly now: () => Date;
}

/** Short ids of zones, which AWS keeps the same for all accounts. */
export function zoneId(context: Pick<Ec2Context, "region" | "zones">, zone: string): string {
  return `${context.region}-az${context.zones.indexOf(zone) + 1}`;
}
