export * from "./commands.ts";
export * from "./compute.ts";
export * from "./executions.ts";
export * from "./inventory.ts";
export * from "./secrets.ts";
export * from "./store.ts";
