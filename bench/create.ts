import type { Api } from "../test/e2e/support/api.ts";
import { report, stopwatch } from "./figure.ts";

const runs = 10;

/** From POST to `available`, and from DELETE to gone, three members with the defaults. */
export async function benchCreate(api: Api): Promise<void> {
  const created: number[] = [];
  const removed: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    let clusterId = "";
    created.push(
      await stopwatch(async () => {
        clusterId = (await api.createAvailable({ name: `bench-${run}` })).id;
      }),
    );
    removed.push(await stopwatch(() => api.remove(clusterId)));
  }
  report("create three members: POST to available, ms", created);
  report("delete three members: DELETE to gone, ms", removed);
}
