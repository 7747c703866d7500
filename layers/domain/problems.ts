/**
 * Every error that a caller can see. The code is stable; its page is docs/errors/<code>.md.
 * Domain code throws {@link Problem}; only layers/runtime/http.ts turns it into `application/problem+json`.
 */
export const problemKinds = {
  "invalid-request": { status: 422, title: "The request is not valid" },
  "malformed-json": { status: 400, title: "The body is not JSON" },
  "unsupported-media-type": { status: 415, title: "The body has the wrong content type" },
  "body-too-large": { status: 413, title: "The body is too large" },
  unauthenticated: { status: 401, title: "The caller is not known" },
  forbidden: { status: 403, title: "The caller's role does not allow this" },
  "not-found": { status: 404, title: "There is no such resource" },
  "method-not-allowed": { status: 405, title: "The resource has no such method" },
  "name-taken": { status: 409, title: "Another cluster has this name" },
  "operation-in-progress": { status: 409, title: "The cluster is busy with another operation" },
  "wrong-status": { status: 409, title: "The cluster's status does not allow this" },
  "no-leader": { status: 409, title: "The shard has no leader" },
  "no-candidate": { status: 409, title: "No replica can take over" },
  "candidate-unknown": { status: 422, title: "The candidate is not a member of this cluster" },
  "candidate-is-leader": { status: 409, title: "The candidate is the leader already" },
  "candidate-not-synchronous": { status: 409, title: "The candidate is not a synchronous standby" },
  "node-unknown": { status: 422, title: "The node is not a member of this cluster" },
  "node-is-leader": { status: 409, title: "The node is the leader" },
  "member-not-streaming": { status: 409, title: "A member does not stream from the leader" },
  "replication-lag": { status: 409, title: "The candidate is too far behind" },
  "long-transaction": { status: 409, title: "A transaction has been open for too long" },
  "archive-queue": { status: 409, title: "Too much WAL waits for the archive" },
  "role-change-in-progress": { status: 409, title: "The leader is about to change already" },
  "dcs-without-quorum": { status: 409, title: "etcd has no majority" },
  "data-loss-not-acknowledged": { status: 409, title: "This may lose acknowledged transactions" },
  "immutable-field": { status: 422, title: "The field cannot be changed" },
  "storage-cannot-shrink": { status: 422, title: "A volume only grows" },
  "shard-unknown": { status: 422, title: "The cluster has no such shard" },
  "zone-unknown": { status: 422, title: "The node cannot move to this zone" },
  "survivor-unknown": { status: 422, title: "The survivor is not a node of this cluster with data" },
  "only-copy": { status: 409, title: "The node has the only copy" },
  "dcs-has-quorum": { status: 409, title: "etcd has its majority" },
  "backup-needed": { status: 409, title: "The backup is needed" },
  "backup-in-progress": { status: 409, title: "The cluster is busy with another backup" },
  "no-backup": { status: 409, title: "There is nothing to restore from" },
  "backup-unknown": { status: 422, title: "The backup cannot be restored" },
  "target-outside-window": { status: 422, title: "The target cannot be reached" },
  "restore-point-unknown": { status: 422, title: "There is no such restore point on record" },
  "wal-missing": { status: 422, title: "WAL is missing from the archive" },
  "restore-point-exists": { status: 409, title: "The cluster has a restore point of this name" },
  "final-backup-impossible": { status: 409, title: "No final backup can be taken" },
  "not-deleted": { status: 409, title: "The cluster is not deleted" },
  "backups-removed": { status: 409, title: "The backups of the deleted cluster are gone" },
  "backup-unfit": { status: 422, title: "The backup cannot be restored in this way" },
  "database-unknown": { status: 422, title: "The backup has no such database" },
  "database-not-empty": { status: 409, title: "The database is not empty" },
  "drill-in-progress": { status: 409, title: "The cluster is busy with another drill" },
  "volume-too-small": { status: 422, title: "The data does not fit on the volume" },
  "schedule-too-frequent": { status: 422, title: "The schedule is too frequent" },
  "security-group-unknown": { status: 422, title: "The environment's VPC has no such security group" },
  "security-group-in-use": { status: 409, title: "Others name the cluster's security group" },
  "store-unreachable": { status: 422, title: "The store for backups cannot be reached" },
  "store-untrusted": { status: 422, title: "The certificate of the store for backups is not trusted" },
  "store-bucket-unknown": { status: 422, title: "The store for backups has no such bucket" },
  "store-credentials-unfit": { status: 422, title: "The parameter does not hold a key for the store" },
  "store-key-refused": { status: 422, title: "The store for backups refuses the key" },
  "store-unfit": { status: 422, title: "The store for backups does not do what S3 does" },
  "store-cannot-change": { status: 422, title: "A cluster keeps the store of its backups" },
  "restore-unconfirmed": { status: 409, title: "An earlier restore can still be gone back from" },
  "nothing-kept": { status: 409, title: "There is nothing to go back to" },
  "deletion-protected": { status: 409, title: "The cluster is protected from deletion" },
  "operation-ended": { status: 409, title: "The operation has already ended" },
  "precondition-failed": { status: 412, title: "The resource has changed in the meantime" },
  "idempotency-key-reused": { status: 422, title: "The Idempotency-Key was used with another request" },
  "cluster-unreachable": { status: 503, title: "No node of the cluster answers" },
  internal: { status: 500, title: "pgherd failed to answer" },
} as const;

export type ProblemCode = keyof typeof problemKinds;

/** One thing that is wrong with one field; `path` is a JSON pointer into the body, or the name of a parameter. */
export interface FieldError {
  readonly path: string;
  readonly message: string;
}

/** An error that the caller may read. `detail` says what was wrong, where, and what would be right. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly errors: readonly FieldError[];

  constructor(
    code: ProblemCode,
    detail: string,
    options: { errors?: readonly FieldError[]; cause?: unknown } = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "Problem";
    this.code = code;
    this.errors = options.errors ?? [];
  }
}
