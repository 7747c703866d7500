import { createHash } from "node:crypto";
import type { EC2Client } from "@aws-sdk/client-ec2";
import { clientToken } from "../../domain/cluster/names.ts";
import type { EnvironmentSettings } from "../../domain/environment.ts";
import type { Placement } from "../../ports/compute.ts";
import type { Owner } from "./tags.ts";

/** How long the parts of the adapter wait. Tests shorten them. */
export interface Deadlines {
  /** A Describe call can miss what was just made for some seconds. */
  readonly describeLagMs: number;
  /** An instance that ends shuts down first: systemd gives its services 90 s. */
  readonly terminationMs: number;
  /** Volumes and interfaces are let go some seconds after their instance is gone. */
  readonly releaseMs: number;
  /** An instance profile that IAM has made is known to EC2 within seconds. */
  readonly profileMs: number;
  /** A new volume is there within seconds. */
  readonly volumeMs: number;
  /** A larger size can be used within seconds; EC2 promises no time. */
  readonly growthMs: number;
}

export const deadlines: Deadlines = {
  describeLagMs: 60_000,
  terminationMs: 300_000,
  releaseMs: 120_000,
  profileMs: 60_000,
  volumeMs: 120_000,
  growthMs: 600_000,
};

/** What every part of the compute adapter shares. */
export interface Fleet {
  readonly client: EC2Client;
  /** For RunInstances: EC2 says "no capacity" with status 500, which must not be asked again in the same zone. */
  readonly launcher: EC2Client;
  readonly settings: EnvironmentSettings;
  readonly deadlines: Deadlines;
}

/**
 * A client token names one making of a thing. EC2 answers a token again with what it made for it, gone or not: a
 * thing that is gone needs the next token, and so does another zone.
 */
export function tokenOf(fleet: Fleet, kind: "eni" | "vol" | "ins", place: Placement, round: number): string {
  const zones = Object.keys(fleet.settings.subnets);
  const attempt = Math.max(zones.indexOf(place.zone), 0) + round * zones.length;
  return clientToken(kind, place.nodeId, attempt, digestOf(place.generation));
}

/** Generations are longer than what a token has room for. */
function digestOf(generation: string | undefined): string | null {
  if (generation === undefined) return null;
  return createHash("sha256").update(generation).digest("hex").slice(0, digestCharacters);
}

/** Enough to tell the few generations of one node apart. */
const digestCharacters = 12;

/** Rounds of making a thing whose token names one that is gone. More mean that someone else removes it. */
export const roundsMax = 4;

export function subnetOf(fleet: Fleet, place: Placement): string {
  const subnet = fleet.settings.subnets[place.zone];
  if (subnet === undefined) throw new Error(`the environment has no subnet in zone ${place.zone}`);
  return subnet;
}

export function ownerOf(
  fleet: Fleet,
  place: { readonly clusterId: string; readonly nodeId: string; readonly generation?: string },
): Owner {
  const { clusterId, nodeId, generation } = place;
  const owner = { environment: fleet.settings.environment, clusterId, nodeId };
  return generation === undefined ? owner : { ...owner, generation };
}
