import { build } from "./build/build.ts";
import { stageNames } from "./config/index.ts";
import { ConfigError } from "./config/schema.ts";
import { createApp } from "./create-app.ts";

/** `npx cdk …` runs this: every environment, from what is in the tree now. */
try {
  createApp({ stages: stageNames, build: await build() }).synth();
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  // Its lines say what to change; where we found out is of no use to whoever wrote the file.
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
