import type { Inspection } from "../domain/node/inspect-verbs.ts";
import { run } from "./process.ts";

type UnitState = Inspection["services"][string];

export interface ServiceState {
  readonly state: UnitState;
  readonly mainPid: number | null;
  /** Somebody has asked it to end, and it has not yet. */
  readonly isStopping: boolean;
}

/** systemd's words; a service that fell over and is about to be started again is `activating (auto-restart)`. */
export function stateOf(activeState: string, subState: string): UnitState {
  if (activeState === "active" || activeState === "reloading") return "active";
  return activeState === "failed" || subState.startsWith("auto-restart") ? "failed" : "inactive";
}

/** Services in the order of `units`; a unit that systemd does not know is inactive. */
export async function serviceStates(units: readonly string[]): Promise<ReadonlyMap<string, ServiceState>> {
  if (units.length === 0) return new Map();
  const { stdout } = await run("systemctl", ["show", "--property=Id,ActiveState,SubState,MainPID", ...units]);
  const blocks = stdout.trim().split("\n\n");
  return new Map(
    units.map((unit, index) => {
      const properties = new Map(
        (blocks[index] ?? "").split("\n").map((line): [string, string] => {
          const at = line.indexOf("=");
          return [line.slice(0, at), line.slice(at + 1)];
        }),
      );
      const mainPid = Number(properties.get("MainPID") ?? 0);
      const state = stateOf(properties.get("ActiveState") ?? "", properties.get("SubState") ?? "");
      const isStopping = properties.get("ActiveState") === "deactivating";
      return [unit, { state, mainPid: mainPid > 0 ? mainPid : null, isStopping }];
    }),
  );
}
