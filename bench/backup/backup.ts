import type { Api } from "../../test/e2e/support/api.ts";
import type { Environment } from "../../test/e2e/support/environment.ts";
import { inWords } from "../peers/measure.ts";
import { benchDisturbing } from "./disturbing.ts";
import { Place } from "./place.ts";
import { benchRestoring } from "./restoring.ts";
import { benchTaking } from "./taking.ts";

/** Taking backups, what that does to clients, and restoring them: one cluster, one run. */
export async function benchBackup(
  environment: Environment,
  api: Api,
  stack: AsyncDisposableStack,
): Promise<void> {
  const place = await Place.create(environment, api, stack);
  for (const [part, bench] of Object.entries({ benchTaking, benchDisturbing, benchRestoring })) {
    try {
      await bench(place);
    } catch (error) {
      process.stdout.write(`${JSON.stringify({ figure: part, gaveUp: inWords(error) })}\n`);
    }
  }
}
