import {
  clusterIdSchema,
  clusterResourceSchema,
  removalResourceSchema,
  templateResourceTypes,
  waitResourceSchema,
} from "@pgherd/layers/domain";
import { z } from "@pgherd/layers/runtime";
import type { ApiContext } from "../../api/context.ts";

/** What the resources of templates work with. */
export interface ResourceWorld {
  readonly context: ApiContext;
  readonly now: () => Date;
}

const common = {
  /** The same however often CloudFormation or Lambda sends the request. */
  RequestId: z.string(),
  StackId: z.string(),
  LogicalResourceId: z.string(),
  PhysicalResourceId: z.string().optional(),
  RequestType: z.enum(["Create", "Update", "Delete"]),
  /** What the first answer said; there from the second question on. */
  Data: z.object({ BegunAt: z.iso.datetime() }).optional(),
};
const requestSchema = z.discriminatedUnion("ResourceType", [
  z.object({
    ...common,
    ResourceType: z.literal(templateResourceTypes.cluster),
    ResourceProperties: clusterResourceSchema,
  }),
  z.object({
    ...common,
    ResourceType: z.literal(templateResourceTypes.wait),
    ResourceProperties: waitResourceSchema,
  }),
  z.object({
    ...common,
    ResourceType: z.literal(templateResourceTypes.removal),
    ResourceProperties: removalResourceSchema,
  }),
]);
type ResourceRequest = z.infer<typeof requestSchema>;
type RequestOf<T extends ResourceRequest["ResourceType"]> = Extract<ResourceRequest, { ResourceType: T }>;
export type ClusterRequest = RequestOf<typeof templateResourceTypes.cluster>;
export type RemovalRequest = RequestOf<typeof templateResourceTypes.removal>;

/** A request of CloudFormation's, as the provider framework hands it on. */
export function readRequest(event: unknown): ResourceRequest {
  return requestSchema.parse(event);
}

/** Null where CloudFormation has none of ours: it asks to delete also what could not be made. */
export function clusterIdOf({
  PhysicalResourceId,
}: Pick<ClusterRequest, "PhysicalResourceId">): string | null {
  const id = clusterIdSchema.safeParse(PhysicalResourceId);
  return id.success ? id.data : null;
}

/** Who the request is for the audit trail: `arn:…:stack/<name>/<uuid>`. */
export function principalOf({ StackId }: Pick<ResourceRequest, "StackId">): string {
  return `cloudformation:${StackId.split("/")[1] ?? StackId}`;
}
