import { devConfig } from "./dev.ts";
import { localConfig } from "./local.ts";
import { prodConfig } from "./prod.ts";
import { checkConfig, type EnvironmentConfig, type EnvironmentConfigFile } from "./schema.ts";
import { stagingConfig } from "./staging.ts";

type Variables = Readonly<Record<string, string | undefined>>;

const configs = {
  local: localConfig,
  dev: () => devConfig,
  staging: () => stagingConfig,
  prod: () => prodConfig,
} as const satisfies Record<string, (variables: Variables) => EnvironmentConfigFile>;

export type StageName = keyof typeof configs;
export const stageNames = Object.keys(configs) as readonly StageName[];

/** @throws {ConfigError} with the field and what would be right. */
export function loadConfig(stage: StageName, variables: Variables = process.env): EnvironmentConfig {
  return checkConfig(`infra/config/${stage}.ts`, configs[stage](variables));
}
