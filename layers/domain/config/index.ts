export * from "./dynamic-drift.ts";
export * from "./etcd.ts";
export * from "./haproxy.ts";
export * from "./paths.ts";
export * from "./patroni.ts";
export * from "./pgbouncer.ts";
export * from "./units.ts";
