import { build } from "./build.ts";
import { buildConstructs } from "./constructs.ts";
import { measureFunctions } from "./measure.ts";

/** Builds into dist/ and says what became of it; `--measure` loads every function as well. */
const began = performance.now();
const built = await build();
await buildConstructs();
const seconds = ((performance.now() - began) / 1000).toFixed(1);
const lines = [
  `built ${built.functions.length} functions, layer and node program in ${seconds} s: ${built.directory}`,
];

const coldRuns = 5;
if (process.argv.includes("--measure")) {
  for (const { name, bundleBytes, loadedBytes, coldImportMs } of await measureFunctions(built, coldRuns)) {
    const median = [...coldImportMs].sort((a, b) => a - b)[Math.floor(coldImportMs.length / 2)] ?? Number.NaN;
    lines.push(
      `${name}: bundle ${bundleBytes} B, loads ${loadedBytes} B, cold import ${median.toFixed(0)} ms`,
    );
  }
}
process.stdout.write(`${lines.join("\n")}\n`);
