export const belongingKinds = [
  "instance",
  "network-interface",
  "volume",
  "security-group",
  "parameter",
  "schedule",
  "role",
] as const;
export type BelongingKind = (typeof belongingKinds)[number];

/** Something in the account that says it is a cluster's of this environment. */
export interface Belonging {
  readonly kind: BelongingKind;
  /** The parameter's, the schedule's or the role's name, or EC2's id. */
  readonly id: string;
  readonly clusterId: string;
  /** Null where it is not one node's. */
  readonly nodeId: string | null;
}

/** Everything that carries the environment's tags, whatever the store knows of it. */
export interface Inventory {
  list(): Promise<readonly Belonging[]>;
  /** Already gone is success; false where something else still holds it: it can go later. */
  remove(belonging: Belonging): Promise<boolean>;
}
