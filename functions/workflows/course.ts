import type { ClusterScope } from "./create-cluster/records.ts";

/** How far an operation has come, in `Operation.result`: whoever goes on with it, or undoes it, has nothing else. */
export interface Courses<Course> {
  readonly read: (scope: ClusterScope) => Promise<Course>;
  /** Recorded before what follows from it is done. */
  readonly write: (scope: ClusterScope, change: Partial<Course>) => Promise<void>;
}

export function coursesOf<Course>(schema: { readonly parse: (value: unknown) => Course }): Courses<Course> {
  const read: Courses<Course>["read"] = async ({ operationId, ports }) => {
    const operation = await ports.store.getOperation(operationId);
    return schema.parse(operation?.result ?? {});
  };
  return {
    read,
    write: async (scope, change) => {
      const course = await read(scope);
      await scope.ports.store.putOperationResult(scope.operationId, { ...course, ...change });
    },
  };
}
