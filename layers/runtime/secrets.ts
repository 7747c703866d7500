export * from "./secrets/authority.ts";
export * from "./secrets/passwords.ts";
