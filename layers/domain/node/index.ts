export * from "./inspect-verbs.ts";
export * from "./protocol.ts";
