/**
 * pg_hba.conf. Who may reach the ports is the security group's business: behind HAProxy and PgBouncer every client
 * has a node's address, so addresses say nothing here. Users and encryption do.
 */
export const accessRules: readonly string[] = [
  "local all postgres peer",
  "hostssl replication replicator all scram-sha-256",
  "hostssl postgres rewind all scram-sha-256",
  "hostssl all admin,admin_2,client,client_2,monitor all scram-sha-256",
  "local all all reject",
  "host all all all reject",
  "host replication all all reject",
];
