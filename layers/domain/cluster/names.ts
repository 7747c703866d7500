import type { BackupStore } from "../backup/store.ts";
import { clusterIdSchema } from "../ids.ts";
import type { Login } from "./logins.ts";

/**
 * Names of external things, derived from our ids alone: a retry or an undo never depends on a recorded result.
 */

/** Tags that every AWS resource of a cluster carries; orphans are found by them. */
export const tagNames = {
  environment: "pgherd:environment",
  cluster: "pgherd:cluster",
  node: "pgherd:node",
  operation: "pgherd:operation",
  /** Tells interface and volume of a place from what an earlier one of the same node left. */
  place: "pgherd:place",
} as const;

/** PostgreSQL login roles with a password in Parameter Store. `postgres` has none: it logs in on the local socket only. */
const databaseUsers = ["admin", "client", "replicator", "rewind", "monitor"] as const;

/** Every password of a cluster; `patroni` is the login of Patroni's REST API. */
export const passwordOwners = [...databaseUsers, "patroni"] as const;
export type PasswordOwner = (typeof passwordOwners)[number];

/** Everything that a password can be of: the second logins of users have one while it is their turn. */
export type PasswordName = PasswordOwner | Login;

/** Everything of a cluster in Parameter Store lives under this path. */
export function parameterPath(environment: string, clusterId: string): string {
  return `/pgherd/${environment}/${clusterId}`;
}

export function passwordPath(environment: string, clusterId: string): string {
  return `${parameterPath(environment, clusterId)}/users`;
}

/** Nodes may read these with their instance role. */
export function passwordParameter(environment: string, clusterId: string, owner: PasswordName): string {
  return `${passwordPath(environment, clusterId)}/${owner}`;
}

/** A password that is about to take the place of the present one. */
export function nextPasswordParameter(environment: string, clusterId: string, owner: PasswordName): string {
  return `${passwordParameter(environment, clusterId, owner)}.next`;
}

export function authorityPath(environment: string, clusterId: string): string {
  return `${parameterPath(environment, clusterId)}/authority`;
}

/** The CA's private key. Only the workflows may read it; a node's role must not. */
export function authorityKeyParameter(environment: string, clusterId: string): string {
  return `${authorityPath(environment, clusterId)}/key`;
}

export function backupPath(environment: string, clusterId: string): string {
  return `${parameterPath(environment, clusterId)}/backup`;
}

/** What the cluster's backups and WAL are encrypted with: as long as there is a backup, it stays. */
export function cipherPassParameter(environment: string, clusterId: string): string {
  return `${backupPath(environment, clusterId)}/cipher-pass`;
}

/** Whether a parameter is about a cluster's backups. */
export const isOfBackups = (parameter: string): boolean => /\/clu_[0-9A-Z]{26}\/backup\//.test(parameter);

/** Whose backups they are, and where. */
export interface RepositoryOwner {
  readonly environment: string;
  readonly clusterId: string;
  /** Null: the environment's bucket. */
  readonly store: BackupStore | null;
}

/** Where a shard's backups and WAL are in their bucket: no two clusters have a path in common. */
export function repositoryPrefix(owner: RepositoryOwner, shard: number): string {
  return `/${repositoryKeyPrefix(owner)}${shard}`;
}

/** One per cluster and kind, in the schedule group of the environment. */
export function scheduleName(clusterId: string, kind: string): string {
  return `${clusterId}-${kind}`;
}

/** Whose schedule it is, by its name; null where it is none of ours. */
export function clusterOfSchedule(name: string): string | null {
  return /^(clu_[0-9A-Z]{26})-[a-z]+$/.exec(name)?.[1] ?? null;
}

/** What everything begins with that an environment has in a store of somebody else's: the bucket may have more in it. */
export function storeKeyPrefix(environment: string): string {
  return `pgherd/${environment}/`;
}

/**
 * What the keys of everything begin with that a cluster has in its bucket.
 * @throws for what is no id: anything shorter would be others' as well
 */
export function repositoryKeyPrefix({ clusterId, environment, store }: RepositoryOwner): string {
  const own = `clusters/${clusterIdSchema.parse(clusterId)}/`;
  return store === null ? own : `${storeKeyPrefix(environment)}${own}`;
}

/** Security group name: unique in a VPC, so creating it twice finds the first. */
export function securityGroupName(environment: string, clusterId: string): string {
  return `pgherd-${environment}-${clusterId}`;
}

/**
 * EC2 client token (at most 64 characters). `attempt` changes where EC2 wants another token, such as another zone;
 * `generation` with each thing that takes the place of one of before.
 */
export function clientToken(
  kind: "eni" | "vol" | "ins",
  nodeId: string,
  attempt = 0,
  generation: string | null = null,
): string {
  return `pgherd-${kind}-${nodeId}${generation === null ? "" : `-${generation}`}-${attempt}`;
}

/** Patroni's scope of one shard. */
export function patroniScope(clusterId: string, shard: number): string {
  return `${clusterId}-${shard}`;
}

/** Patroni member and etcd member name of a node. */
export function memberName(nodeId: string): string {
  return nodeId;
}

/** Durable execution of an operation (at most 64 characters); recoveries count from 1. */
export function executionName(operationId: string, recoveryAttempt = 0): string {
  return recoveryAttempt === 0 ? operationId : `${operationId}-recovery-${recoveryAttempt}`;
}
