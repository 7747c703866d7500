import { randomUUID } from "node:crypto";
import type { Cluster, Operation } from "@pgherd/layers/domain";
import { expect, test } from "vitest";
import { api } from "../support/world.ts";

type Accepted = { cluster: Cluster; operation: Operation };
interface Problem {
  readonly code: string;
  readonly detail: string;
}

test("the same call twice at once makes one cluster; another body with its key is refused; a second mutation waits its turn", async () => {
  const key = randomUUID();
  const post = (body: unknown) =>
    api.call<Accepted & Problem>("POST", "/v1/clusters", { body, headers: { "idempotency-key": key } });
  const spec = { name: "only-once", members: 1, storage: { sizeGiB: 1 } };

  const [first, second] = await Promise.all([post(spec), post(spec)]);
  const other = await post({ ...spec, members: 3 });
  const busy = await api.call<Problem>("DELETE", `/v1/clusters/${first.body.cluster.id}`);

  expect([first.status, second.status]).toEqual([202, 202]);
  expect(second.body.operation.id).toBe(first.body.operation.id);
  expect(other.status).toBe(422);
  expect(other.body.code).toBe("idempotency-key-reused");
  expect(busy.status).toBe(409);
  expect(busy.body.code).toBe("operation-in-progress");
  expect(busy.body.detail).toContain(first.body.operation.id);

  expect((await api.operationEnd(first.body.operation.id)).state).toBe("succeeded");
  expect((await api.remove(first.body.cluster.id)).state).toBe("succeeded");
});
