import { setTimeout as delay } from "node:timers/promises";
import { beforeEach, expect, test } from "vitest";
import { KeptChild } from "../../../local/control-plane/children.ts";
import type { ChildProgram } from "../../../local/endpoints/child-program.ts";

/** Processes on paper: each lives until it is told to end. */
class Starts {
  readonly running: { pid: number; end: (how: string) => void }[] = [];
  failures = 0;

  readonly start = async (): Promise<ChildProgram> => {
    if (this.failures > 0) {
      this.failures -= 1;
      throw new Error("the port is taken");
    }
    const { promise, resolve } = Promise.withResolvers<string>();
    const pid = this.running.length + 1;
    this.running.push({ pid, end: resolve });
    return { pid, exited: promise, stop: async () => resolve("exit SIGTERM") };
  };
}

let starts: Starts;
let lines: string[];
let child: KeptChild;
let changes: (number | null)[];

beforeEach(async () => {
  starts = new Starts();
  lines = [];
  changes = [];
  const log = (line: string) => void lines.push(line);
  child = new KeptChild({ name: "the store", start: starts.start, log, restartDelayMs: 5 });
  child.onChange = async () => void changes.push(child.pid);
  await child.start();
});

test("a process that ends is started again, and its new number is told", async () => {
  starts.running[0]?.end("exit SIGKILL");

  await expect.poll(() => changes).toEqual([2]);
  expect(child.pid).toBe(2);
  expect(lines).toEqual(["the store ended (exit SIGKILL) and is started again"]);
});

test("one that cannot be started is tried until it can, and kept up from then on", async () => {
  starts.failures = 2;
  starts.running[0]?.end("exit 1");
  await expect.poll(() => changes).toEqual([2]);

  starts.running[1]?.end("exit 1");
  await expect.poll(() => changes).toEqual([2, 3]);
});

test("one that is stopped stays stopped", async () => {
  await child.stop();
  await delay(100);

  expect(starts.running).toHaveLength(1);
  expect(changes).toEqual([]);
});
