export * from "./environment.ts";
export * from "./ids.ts";
export * from "./log.ts";
