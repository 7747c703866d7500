export * from "./inspect-verbs.ts";
export { passwordNameSchema } from "./maintenance-verbs.ts";
export type { ObservedPlace } from "./membership-verbs.ts";
export * from "./protocol.ts";
export type { Assessment } from "./role-change-verbs.ts";
