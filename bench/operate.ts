import type { Api } from "../test/e2e/support/api.ts";
import type { Environment } from "../test/e2e/support/environment.ts";
import { AutoFailoverPeer } from "./peers/auto-failover.ts";
import { peersImage } from "./peers/image.ts";
import type { PeerPlace } from "./peers/machines.ts";
import { inWords, measure, runs } from "./peers/measure.ts";
import { PatroniPeer } from "./peers/patroni.ts";
import { Pgherd } from "./peers/pgherd.ts";
import { RepmgrPeer } from "./peers/repmgr.ts";
import { type Act, acts, type PeerSystem } from "./peers/system.ts";

/** From the first machine on: later than this no run of the kind begins, and the figure says so. */
const quickMsMax = 10 * 60_000;
const slowMsMax = 13 * 60_000;

interface Contestant {
  readonly create: (place: PeerPlace) => Promise<PeerSystem>;
  /** Over within seconds: nothing else happens meanwhile. */
  readonly quick: readonly Act[];
  /** Mostly waiting for a timeout of 20 s to a minute: all systems' at once. */
  readonly slow: readonly Act[];
}

/** pgherd and what people would use instead, in one run: the same machine, image, load and stopwatch. */
export async function benchOperate(
  environment: Environment,
  api: Api,
  stack: AsyncDisposableStack,
): Promise<void> {
  const imagePath = await peersImage();
  const begunAt = performance.now();
  const contestants: readonly Contestant[] = [
    { create: PatroniPeer.create, quick: [acts.planned, acts.killed], slow: [acts.lost] },
    { create: AutoFailoverPeer.create, quick: [acts.planned, acts.killed], slow: [acts.lost] },
    // A minute for either accident: two clusters, so that the minutes pass at the same time.
    { create: RepmgrPeer.create, quick: [acts.planned], slow: [acts.killed] },
    { create: RepmgrPeer.create, quick: [], slow: [acts.lost] },
    {
      // Last: its control plane looks after its nodes all the time, which nobody else's figures should pay for.
      create: () => Pgherd.create(environment, api, "bench-operate", stack),
      quick: [acts.planned, acts.killed],
      slow: [acts.lost],
    },
  ];
  const waiting: (() => Promise<void>)[] = [];
  for (const { create, quick, slow } of contestants) {
    const system = await create({ imagePath, stack }).catch(complain("set-up"));
    if (system === undefined) continue;
    const isWell = await measureAll(system, quick, begunAt + quickMsMax);
    if (isWell) waiting.push(async () => void (await measureAll(system, slow, begunAt + slowMsMax)));
  }
  await Promise.all(waiting.map((measureSlow) => measureSlow()));
}

/** False for a system that does not become whole again: it is left, and its complaint is in the output. */
async function measureAll(system: PeerSystem, asked: readonly Act[], until: number): Promise<boolean> {
  try {
    for (const act of asked) await measure(system, act, { runs, until });
    return true;
  } catch (error) {
    complain(system.name)(error);
    return false;
  }
}

function complain(what: string): (error: unknown) => undefined {
  return (error) => {
    process.stdout.write(`${JSON.stringify({ figure: what, gaveUp: inWords(error) })}\n`);
    return undefined;
  };
}
