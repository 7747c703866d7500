import { templateResourceTypes } from "@pgherd/layers/domain";
import { intend } from "./intend.ts";
import { type ResourceWorld, readRequest } from "./request.ts";

interface Begun {
  readonly PhysicalResourceId: string;
  readonly Data: { readonly BegunAt: string };
}

/** Begins what CloudFormation asks for, or is about to: a cluster that another operation holds is waited for. */
export async function begin({ context, now }: ResourceWorld, event: unknown): Promise<Begun> {
  const request = readRequest(event);
  const Data = { BegunAt: now().toISOString() };
  if (request.ResourceType !== templateResourceTypes.cluster) {
    return { PhysicalResourceId: request.PhysicalResourceId ?? request.LogicalResourceId, Data };
  }
  const { clusterId } = await intend(context, request);
  return { PhysicalResourceId: clusterId, Data };
}
