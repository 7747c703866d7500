import { nodePaths } from "../domain/config/index.ts";
import { run } from "./process.ts";

const timeoutDefaultMs = 30_000;

interface ControlData {
  readonly state: string;
  readonly checkpoint: string;
  readonly timeline: number;
}

/** What PostgreSQL's control file says; null where there is no data. */
export async function controlData(timeoutMs = timeoutDefaultMs): Promise<ControlData | null> {
  const { code, stdout } = await run(
    `${nodePaths.postgresBin}/pg_controldata`,
    ["-D", nodePaths.postgresData],
    { answers: [1], timeoutMs },
  );
  if (code !== 0) return null;
  const value = (name: string): string =>
    stdout
      .split("\n")
      .find((line) => line.startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim() ?? "";
  return {
    state: value("Database cluster state"),
    checkpoint: value("Latest checkpoint location"),
    timeline: Number(value("Latest checkpoint's TimeLineID")),
  };
}
