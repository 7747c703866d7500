import { z } from "zod";
import { environmentPaths } from "../environment/paths.ts";
import { readSettings } from "../environment/settings.ts";
import { goFirst } from "./priority.ts";
import { startControlPlane } from "./start.ts";

/**
 * The control plane's process. `npm start` starts it with what it prepared as its only argument, listens to its
 * progress until it is ready, and leaves.
 */
const argumentSchema = z.strictObject({
  imagePath: z.string(),
  dynamoDbLibraries: z.string(),
  stageDirectory: z.string(),
});

export type ControlPlaneMessage =
  | { readonly kind: "progress"; readonly line: string }
  | { readonly kind: "ready" }
  | { readonly kind: "failed"; readonly message: string };

function tell(message: ControlPlaneMessage): void {
  if (process.connected) process.send?.(message);
}

async function main(): Promise<void> {
  const paths = environmentPaths(process.env);
  const settings = await readSettings(paths);
  if (settings === null) throw new Error(`there is no environment in ${paths.state}`);
  const prepared = argumentSchema.parse(JSON.parse(process.argv[2] ?? "{}"));
  // Interrupted before it was ready: the next start begins anew, and must not meet half a control plane.
  const abandoned = () => process.exit(1);
  process.once("disconnect", abandoned);
  const controlPlane = await startControlPlane({ paths, settings, ...prepared }, (line) =>
    tell({ kind: "progress", line }),
  );
  process.on("SIGHUP", () => {
    controlPlane.repair().catch(fail);
  });
  process.once("SIGTERM", () => {
    controlPlane.stop().then(() => process.exit(0), fail);
  });
  process.off("disconnect", abandoned);
  tell({ kind: "ready" });
  if (process.connected) process.disconnect();
}

function fail(error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`${text}\n`);
  const message: ControlPlaneMessage = {
    kind: "failed",
    message: error instanceof Error ? error.message : String(error),
  };
  if (process.connected) process.send?.(message, undefined, undefined, () => process.exit(1));
  else process.exit(1);
}

goFirst();
main().catch(fail);
