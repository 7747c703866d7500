/** The ports of a node (design: "One cluster"). */
export const nodePorts = {
  readWrite: 5000,
  readOnly: 5001,
  any: 5002,
  pooled: 6432,
  postgres: 5432,
  patroni: 8008,
  /** Conductors of role changes knock here (layers/node/gate). */
  gate: 8009,
  etcdClient: 2379,
  etcdPeer: 2380,
  /** pgBackRest reads the leader from the replica that the backup is taken on. */
  backup: 8432,
  haproxyStatistics: 7000,
  /** For Prometheus, over TLS: each program of the node under a path of its own. */
  metrics: 9187,
} as const;
