import { build } from "./build/build.ts";
import { stageNames } from "./config/index.ts";
import { createApp } from "./create-app.ts";

/** `npx cdk …` runs this: every environment, from what is in the tree now. */
createApp({ stages: stageNames, build: await build() }).synth();
