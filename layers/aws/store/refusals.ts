import { Problem } from "../../domain/problems.ts";

export const noCluster = (clusterId: string, cause?: unknown): Problem =>
  new Problem("not-found", `There is no cluster ${clusterId}.`, { cause });
export const noOperation = (operationId: string, cause?: unknown): Problem =>
  new Problem("not-found", `There is no operation ${operationId}.`, { cause });
