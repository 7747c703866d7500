export * from "./assess.ts";
export * from "./audit.ts";
export * from "./environment.ts";
export * from "./ids.ts";
export * from "./log.ts";
export * from "./metrics.ts";
export * from "./observer.ts";
export * from "./revision.ts";
