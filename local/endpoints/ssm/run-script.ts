import type { MachineDriver } from "../../machines/driver.ts";
import type { CommandDocument } from "./command-documents.ts";
import type { StoredInvocation } from "./command-records.ts";

export type Outcome = Pick<
  StoredInvocation,
  "status" | "statusDetails" | "responseCode" | "stdout" | "stderr"
>;

/** What AWS keeps of a command's output. */
const stdoutCharactersMax = 24_000;
const stderrCharactersMax = 8_000;
/** UTF-8 needs at most four bytes for a character. */
const outputBytesMax = stdoutCharactersMax * 4;
const truncated = "\n---Output truncated---";
/** The driver ends what runs too long; when it does not, the answer comes at least. */
const driverGraceMs = 5_000;
/** Timers may fire this much before their time. */
const timerSlackMs = 20;
/** Runs the document's script in the machine; what happens is in the outcome, never thrown. */
export async function runScript(
  machine: { readonly driver: MachineDriver; readonly environment: Readonly<Record<string, string>> },
  instanceId: string,
  document: CommandDocument,
  bound: Readonly<Record<string, string>>,
  timeoutSeconds: number,
): Promise<Outcome> {
  const startedAt = Date.now();
  const deadline = deadlineAfter(timeoutSeconds * 1000 + driverGraceMs);
  try {
    const result = await Promise.race([
      machine.driver.execute(instanceId, {
        argv: ["/bin/sh", "-c", document.script],
        environment: {
          ...machine.environment,
          ...Object.fromEntries(Object.entries(bound).map(([name, value]) => [`SSM_${name}`, value])),
        },
        timeoutSeconds,
        outputBytesMax,
      }),
      deadline.reached,
    ]);
    if (result === "late") return timedOut(timeoutSeconds);
    const success = result.exitCode === 0;
    // A driver that ends a late program reports the signal's exit code.
    if (!success && Date.now() - startedAt >= timeoutSeconds * 1000 - timerSlackMs)
      return timedOut(timeoutSeconds);
    return {
      status: success ? "Success" : "Failed",
      statusDetails: success ? "Success" : "Failed",
      responseCode: result.exitCode,
      stdout: cut(result.stdout, stdoutCharactersMax),
      stderr: cut(result.stderr, stderrCharactersMax),
    };
  } catch (error) {
    if (Date.now() - startedAt >= timeoutSeconds * 1000 - timerSlackMs) return timedOut(timeoutSeconds);
    const reason = error instanceof Error ? error.message : String(error);
    return {
      status: "Failed",
      statusDetails: "Undeliverable",
      responseCode: -1,
      stdout: "",
      stderr: cut(reason, stderrCharactersMax),
    };
  } finally {
    deadline.cancel();
  }
}

function timedOut(timeoutSeconds: number): Outcome {
  return {
    status: "TimedOut",
    statusDetails: "ExecutionTimedOut",
    responseCode: -1,
    stdout: "",
    stderr: `the command ran longer than ${timeoutSeconds} s`,
  };
}

function deadlineAfter(milliseconds: number): { reached: Promise<"late">; cancel: () => void } {
  let timer: NodeJS.Timeout | undefined;
  const reached = new Promise<"late">((resolve) => {
    timer = setTimeout(() => resolve("late"), milliseconds);
  });
  return { reached, cancel: () => clearTimeout(timer) };
}

function cut(text: string, charactersMax: number): string {
  return text.length <= charactersMax ? text : text.slice(0, charactersMax - truncated.length) + truncated;
}
