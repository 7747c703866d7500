import type { EC2Client } from "@aws-sdk/client-ec2";
import type { EnvironmentSettings } from "../../domain/environment.ts";
import type { Placement } from "../../ports/compute.ts";

/** How long the parts of the adapter wait. Tests shorten them. */
export interface Deadlines {
  /** A Describe call can miss what was just made for some seconds. */
  readonly describeLagMs: number;
  /** An instance that ends shuts down first: systemd gives its services 90 s. */
  readonly terminationMs: number;
  /** Volumes and interfaces are let go some seconds after their instance is gone. */
  readonly releaseMs: number;
  /** A new volume is there within seconds. */
  readonly volumeMs: number;
}

export const deadlines: Deadlines = {
  describeLagMs: 60_000,
  terminationMs: 300_000,
  releaseMs: 120_000,
  volumeMs: 120_000,
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
export function tokenAttempt(fleet: Fleet, zone: string, round: number): number {
  const zones = Object.keys(fleet.settings.subnets);
  return Math.max(zones.indexOf(zone), 0) + round * zones.length;
}

/** Rounds of making a thing whose token names one that is gone. More mean that someone else removes it. */
export const roundsMax = 4;

export function subnetOf(fleet: Fleet, place: Placement): string {
  const subnet = fleet.settings.subnets[place.zone];
  if (subnet === undefined) throw new Error(`the environment has no subnet in zone ${place.zone}`);
  return subnet;
}

export function ownerOf(
  fleet: Fleet,
  place: { readonly clusterId: string; readonly nodeId: string },
): { environment: string; clusterId: string; nodeId: string } {
  return { environment: fleet.settings.environment, clusterId: place.clusterId, nodeId: place.nodeId };
}
