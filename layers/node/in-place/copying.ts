import { copyArguments, copyingUnit } from "../../domain/config/index.ts";
import type { NodeIntent } from "../../domain/node/protocol.ts";
import { account } from "../accounts.ts";
import { complaintIn } from "../backup/pgbackrest.ts";
import { ensureDirectory } from "../files.ts";
import { lastLines, outcomeOf } from "../transient-unit.ts";
import { dataDirectory } from "./data-directories.ts";
import { startDataUnit } from "./data-unit.ts";

/** `begun`: it goes on by itself. A text: why it has come to nothing. */
export type Copying = "begun" | "done" | { readonly failed: string };

/** Copies the backup's files into the place of the data. What another try left there is used again. */
export async function copy(operationId: string, label: string, { spec }: NodeIntent): Promise<Copying> {
  const unit = copyingUnit(operationId);
  switch (await outcomeOf(unit)) {
    case "absent":
      await ensureDirectory(dataDirectory, await account("postgres"), 0o700);
      await startDataUnit(unit, "pgbackrest", copyArguments(label, spec.instanceType));
      return "begun";
    case "running":
      return "begun";
    case "ended":
      return "done";
    case "failed":
      return { failed: complaintIn(await lastLines(unit)) ?? "pgBackRest ended without a word" };
  }
}
