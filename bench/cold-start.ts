import { build } from "../infra/build/build.ts";
import { measureFunctions } from "../infra/build/measure.ts";
import { report } from "./figure.ts";

const runs = 10;

/** Import of each function's bundle with what it loads of the layer, in a process with an empty module cache. */
export async function benchColdStart(): Promise<void> {
  for (const { name, coldImportMs } of await measureFunctions(await build(), runs))
    report(`cold import of ${name}, ms`, coldImportMs);
}
