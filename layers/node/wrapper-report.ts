import { z } from "zod";
import { nodePaths } from "../domain/config/index.ts";
import { readIfPresent } from "./files.ts";

const wrapperReportSchema = z.object({ active: z.boolean() });

/** The wrapper leaves word: it starts Patroni unchanged where it does not know its version. */
export async function isWrapped(): Promise<boolean> {
  const text = await readIfPresent(nodePaths.wrapperReport);
  return text !== null && wrapperReportSchema.parse(JSON.parse(text)).active;
}
