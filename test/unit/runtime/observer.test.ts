import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Cluster } from "../../../layers/domain/index.ts";
import type { NodeCommandPort } from "../../../layers/ports/index.ts";
import { createObserver } from "../../../layers/runtime/observer.ts";
import { makeCluster, makeNode } from "../../api/support/fixtures.ts";

const frozenMs = 15 * 60 * 1000;

let cluster: Cluster;
/** Questions that nobody has answered yet. */
let open: (() => void)[];
let asked: number;

/** A node that answers when it is told to. */
const commands: Pick<NodeCommandPort, "run"> = {
  run: () => {
    asked += 1;
    return new Promise((resolve) => {
      const answer = { members: [], dcs: { quorum: true, members: [] } };
      // The only verb that gets here is `observe`; TypeScript does not narrow V by the verb.
      open.push(() => resolve(answer as never));
    });
  },
};

const answerAll = (): void => {
  for (const answer of open.splice(0)) answer();
};

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
  open = [];
  asked = 0;
  cluster = {
    ...makeCluster("orders"),
    nodes: [makeNode("local-1a", { state: "running", instanceId: "i-1" })],
  };
});
afterEach(() => {
  vi.useRealTimers();
});

test("callers that come while a question is under way share its answer", async () => {
  const observer = createObserver(commands);
  const answers = [observer.observe(cluster), observer.observe(cluster)];
  answerAll();
  const [first, second] = await Promise.all(answers);
  expect(first).toBe(second);
  expect(asked).toBe(1);
});

test("an answer that was asked for before the function was frozen is not given after it thaws", async () => {
  const observer = createObserver(commands);
  const before = observer.observe(cluster);
  vi.setSystemTime(Date.now() + frozenMs);
  const calledAt = Date.now();
  const after = observer.observe(cluster);
  answerAll();
  await before;
  answerAll();
  expect(Date.parse((await after).observedAt)).toBeGreaterThanOrEqual(calledAt);
  expect(asked).toBe(2);
});

test("a question from before a long pause that is never answered keeps nobody waiting", async () => {
  const observer = createObserver(commands);
  void observer.observe(cluster);
  open.splice(0);
  vi.setSystemTime(Date.now() + frozenMs);
  const after = observer.observe(cluster);
  answerAll();
  expect(Date.now() - Date.parse((await after).observedAt)).toBe(0);
});

test("whoever joins a question that is answered too late has it asked anew", async () => {
  const observer = createObserver(commands);
  const first = observer.observe(cluster);
  vi.setSystemTime(Date.now() + 1_000);
  const calledAt = Date.now();
  const joined = observer.observe(cluster);
  vi.setSystemTime(Date.now() + 3_000);
  answerAll();
  await first;
  await vi.waitFor(() => expect(open).toHaveLength(1));
  answerAll();
  expect(Date.parse((await joined).observedAt)).toBeGreaterThanOrEqual(calledAt);
});
