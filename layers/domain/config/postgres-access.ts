/**
 * pg_hba.conf. Who may reach the ports is the security group's business: behind HAProxy and PgBouncer every client
 * has a node's address, so addresses say nothing here. Users and encryption do.
 */
export const accessRules: readonly string[] = [
  "local all postgres peer",
  "local postgres monitor peer map=exporter",
  "hostssl replication replicator all scram-sha-256",
  "hostssl postgres rewind all scram-sha-256",
  "hostssl all admin,admin_2,client,client_2,monitor all scram-sha-256",
  "local all all reject",
  "host all all all reject",
  "host replication all all reject",
];

/** pg_ident.conf: the exporter's process logs in as `monitor` by being its user; no password has to lie around for it. */
export const identityMap: readonly string[] = ["exporter prometheus monitor"];
