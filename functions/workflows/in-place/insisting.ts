import { CommandError } from "@pgherd/layers/ports";
import type { InPlaceDeadlines } from "./deadlines.ts";

/** There is no way back from here, and clients wait: what a node refuses now it may do in a moment. */
export async function insisting<T>(
  { insistMs, lookMs }: Pick<InPlaceDeadlines, "insistMs" | "lookMs">,
  work: () => Promise<T>,
): Promise<T> {
  const end = Date.now() + insistMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof CommandError) || Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, lookMs));
    }
  }
}
