import { z } from "zod";
import { runProgram } from "../../../local/machines/program.ts";

/** A dozen scripts take a second; two busy cores take their time. */
const checkTimeoutMs = 60_000;
/** The least that is told: what is a matter of taste alone stays with whoever writes. */
const severity = "info";

const findingsSchema = z.object({
  comments: z.array(
    z.object({
      file: z.string(),
      line: z.number(),
      code: z.number(),
      level: z.string(),
      message: z.string(),
    }),
  ),
});
export type ShellFinding = z.infer<typeof findingsSchema>["comments"][number];

/** What ShellCheck says of scripts, which are files. It ends with 1 where it has found something. */
export async function shellcheck(files: readonly string[]): Promise<readonly ShellFinding[]> {
  const script = 'shellcheck "$@" || [ $? = 1 ]';
  const options = ["--norc", "--format=json1", `--severity=${severity}`];
  const output = await runProgram("/bin/sh", ["-c", script, "sh", ...options, ...files], {
    timeoutMs: checkTimeoutMs,
  });
  return findingsSchema.parse(JSON.parse(output)).comments;
}
