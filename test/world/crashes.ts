import type { ControlPlane } from "./control-plane.ts";
import { SimulatedCrash } from "./in-process-durable.ts";

export type Side = "before" | "after";
export const sides: readonly Side[] = ["before", "after"];

/**
 * The control plane dies at the `number`th checkpoint from now: before it is written, or after it is and before
 * anyone hears of it. @returns how often it did, and how many checkpoints there were.
 */
export function crashAt(
  plane: ControlPlane,
  number: number,
  side: Side,
): { crashes: number; checkpoints: number } {
  const count = { crashes: 0, checkpoints: 0 };
  const crash = (): void => {
    count.crashes += 1;
    throw new SimulatedCrash(`${side} checkpoint ${number}`);
  };
  plane.hooks.beforeCheckpoint = () => {
    count.checkpoints += 1;
    if (side === "before" && count.checkpoints === number) crash();
  };
  plane.hooks.afterCheckpoint = () => {
    if (side === "after" && count.checkpoints === number) crash();
  };
  return count;
}

/** The control plane dies at every checkpoint, before or after it, each time for the first time that it gets there. */
export function crashAlways(plane: ControlPlane, side: Side): { crashes: number } {
  const count = { crashes: 0 };
  let isTurn = true;
  const alternate = (): void => {
    isTurn = !isTurn;
    if (isTurn) return;
    count.crashes += 1;
    throw new SimulatedCrash(`${side} a checkpoint`);
  };
  plane.hooks.beforeCheckpoint = side === "before" ? alternate : () => undefined;
  plane.hooks.afterCheckpoint = side === "after" ? alternate : () => undefined;
  return count;
}
