import { describe, expect, test } from "vitest";
import { backupCourseSchema, nextBackupAct, whoTakes } from "../../../layers/domain/index.ts";
import type { Observation } from "../../../layers/domain/node/index.ts";

type Member = Observation["members"][number];

const member = (nodeId: string, role: Member["role"], state?: string): Member => ({
  nodeId,
  role,
  state: state ?? (role === "leader" ? "running" : "streaming"),
  timeline: 1,
  lagBytes: 0,
  pendingRestart: false,
});
const trio = [member("a", "leader"), member("b", "sync-standby"), member("c", "replica")];
const fresh = backupCourseSchema.parse({});
const of = (membersWanted: number) => ({ engine: "pgbackrest", membersWanted }) as const;
const dump = { engine: "pg_dump", membersWanted: 3 } as const;

describe("a backup is taken", () => {
  test("on a replica that no commit waits for", () => {
    expect(whoTakes(trio, fresh, of(3))).toBe("c");
  });

  test("on the synchronous standby rather than on the leader", () => {
    expect(whoTakes(trio.slice(0, 2), fresh, of(3))).toBe("b");
    expect(whoTakes([...trio.slice(0, 2), member("c", "replica", "stopped")], fresh, of(3))).toBe("b");
  });

  test("somewhere else after it came to nothing, where there is somewhere else", () => {
    expect(whoTakes(trio, { attempts: 1, nodeId: "c" }, of(3))).toBe("b");
    expect(whoTakes(trio.slice(0, 2), { attempts: 1, nodeId: "b" }, of(3))).toBe("b");
  });

  test("on the leader where it is alone, or where no replica has come for a while", () => {
    const alone = trio.slice(0, 1);
    expect(whoTakes(alone, fresh, of(1))).toBe("a");
    expect(whoTakes(alone, fresh, of(3))).toBeNull();
    expect(whoTakes(alone, { attempts: 3, nodeId: "c" }, of(3))).toBe("a");
    expect(whoTakes([], fresh, of(1))).toBeNull();
  });

  test("with pg_dump on the leader once replicas had to go on with replay each time", () => {
    expect(whoTakes(trio, { attempts: 2, nodeId: "c" }, dump)).toBe("b");
    expect(whoTakes(trio, { attempts: 3, nodeId: "b" }, dump)).toBe("a");
    expect(whoTakes(trio, { attempts: 3, nodeId: "b" }, of(3))).toBe("c");
    expect(whoTakes(trio.slice(1), { attempts: 3, nodeId: "b" }, dump)).toBe("c");
  });
});

describe("the acts of a backup", () => {
  test("follow each other, and whoever comes later goes on where the last one was", () => {
    expect(nextBackupAct(fresh, trio, of(3))).toEqual({ kind: "prepare" });
    const ready = { ...fresh, isReady: true };
    expect(nextBackupAct(ready, trio, of(3))).toEqual({ kind: "take", nodeId: "c", attempt: 1 });
    const begun = { ...ready, attempts: 1, nodeId: "c", attempt: "begun" } as const;
    expect(nextBackupAct(begun, [], of(3))).toEqual({ kind: "copy", nodeId: "c", attempt: 1 });
    const ended = { ...begun, attempt: "ended" } as const;
    expect(nextBackupAct(ended, trio, of(3))).toEqual({ kind: "take", nodeId: "b", attempt: 2 });
    const done = { ...begun, attempt: "done" } as const;
    expect(nextBackupAct(done, [], of(3))).toEqual({ kind: "record" });
    expect(nextBackupAct({ ...done, isRecorded: true }, trio, of(3))).toBeNull();
  });

  test("wait for somebody who can take it", () => {
    expect(nextBackupAct({ ...fresh, isReady: true }, [], of(3))).toBe("nobody");
  });
});
