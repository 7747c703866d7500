import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { report, stopwatch } from "./figure.ts";

const run = promisify(execFile);

const runs = 10;
const functionsDirectory = "dist/functions";

/** Import of each function's bundle in a fresh process, next to an empty module: what a cold start adds. */
export async function benchColdStart(): Promise<void> {
  const importing = (specifier: string) =>
    stopwatch(() =>
      run(process.execPath, ["--input-type=module", "-e", `await import(${JSON.stringify(specifier)})`]),
    );
  const sample = async (specifier: string) => {
    const times: number[] = [];
    for (let count = 0; count < runs; count += 1) times.push(await importing(specifier));
    return times;
  };
  report("start of an empty process, ms", await sample("data:text/javascript,"));
  for (const name of await readdir(functionsDirectory))
    report(
      `start and import of ${name}, ms`,
      await sample(join(process.cwd(), functionsDirectory, name, "index.mjs")),
    );
}
