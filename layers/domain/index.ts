export * from "./cluster/cluster.ts";
export * from "./cluster/names.ts";
export * from "./cluster/node-ports.ts";
export * from "./cluster/spec.ts";
export * from "./environment.ts";
export * from "./ids.ts";
export * from "./operation/operation.ts";
export * from "./problems.ts";
