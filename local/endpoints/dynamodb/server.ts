import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { LogFile } from "../../state/log-file.ts";
import { answersHttp, type ChildProgram, startChildProgram } from "../child-program.ts";

/** Two seconds on an idle machine; a JVM on two busy cores takes several times that. */
const startTimeoutMs = 60_000;
/** Enough for some thousand items; the whole process takes about twice that. */
const heapMiB = 160;

export interface DynamoDbServerOptions {
  /** From `ensureDynamoDbLocal`. */
  readonly libraryDirectory: string;
  readonly port: number;
  /** Where the tables are kept; null keeps them in memory. */
  readonly dataDirectory: string | null;
  readonly logFile: string;
}

/**
 * Starts DynamoDB Local. It listens on every address of the machine and cannot be told otherwise: `guardPorts` closes
 * its port to everyone but this machine.
 */
export async function startDynamoDb(options: DynamoDbServerOptions): Promise<ChildProgram> {
  const { libraryDirectory, port, dataDirectory } = options;
  if (dataDirectory !== null) await mkdir(dataDirectory, { recursive: true, mode: 0o700 });
  return startChildProgram({
    name: "DynamoDB Local",
    argv: [
      "java",
      `-Xmx${heapMiB}m`,
      "-XX:+UseSerialGC",
      // Minutes of small requests never repay what the optimizing compiler costs.
      "-XX:TieredStopAtLevel=1",
      `-Djava.library.path=${libraryDirectory}`,
      "-cp",
      join(libraryDirectory, "*"),
      "software.amazon.dynamodb.services.local.main.ServerRunner",
      ...(dataDirectory === null ? ["-inMemory"] : ["-dbPath", dataDirectory]),
      "-sharedDb",
      "-disableTelemetry",
      "-port",
      String(port),
    ],
    environment: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LANG: "C.UTF-8" },
    cwd: libraryDirectory,
    log: new LogFile(options.logFile),
    answers: () => answersHttp(`http://127.0.0.1:${port}`),
    startTimeoutMs,
  });
}
