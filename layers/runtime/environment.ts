import { type EnvironmentSettings, environmentSettingsSchema } from "../domain/environment.ts";

/** What the template tells a function. */
export interface FunctionEnvironment {
  readonly table: string;
  readonly region: string;
  readonly settings: EnvironmentSettings;
}

/** @throws with the name of what is missing: a function without its environment must not start. */
export function readFunctionEnvironment(
  variables: Readonly<Record<string, string | undefined>> = process.env,
): FunctionEnvironment {
  const required = (name: string): string => {
    const value = variables[name];
    if (value === undefined || value === "") throw new Error(`the environment variable ${name} is not set`);
    return value;
  };
  return {
    table: required("PGHERD_TABLE"),
    region: required("AWS_REGION"),
    // It is read once: zod need not write and compile a program for it first.
    settings: environmentSettingsSchema.parse(JSON.parse(required("PGHERD_SETTINGS")), { jitless: true }),
  };
}
