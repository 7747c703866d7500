import { run } from "./process.ts";

/** Enough to see why a service does not get on. */
const linesMax = 12;

/** The last lines that a service wrote, for an error message. */
export async function journalTail(unit: string): Promise<string> {
  const { stdout } = await run("journalctl", [
    "--unit",
    unit,
    "--lines",
    String(linesMax),
    "--output",
    "cat",
    "--no-pager",
    "--quiet",
  ]);
  return stdout.trim();
}
