import { allows } from "../endpoints/iam/policy.ts";
import { RoleFacts } from "../endpoints/iam/roles.ts";
import { ServiceError } from "../endpoints/service.ts";
import type { Documents } from "../state/documents.ts";
import { questionsOf } from "./questions.ts";
import type { ServiceCall, Surroundings } from "./use.ts";

/** What a service answers to a call that its caller may not make; null: the caller may. */
export type Refusal = (call: ServiceCall) => ServiceError | null;

/**
 * Holds nodes to the policy of their cluster's role: whoever gets into one node gets nothing of another cluster here
 * either. What functions may do is replayed against the templates' policies: docs/decisions/permission-replay.md.
 */
export function refusalOf(documents: Documents, surroundings: Surroundings): Refusal {
  const facts = new RoleFacts(documents);
  return (call) => {
    const { roleName } = call.caller;
    const policies = roleName === null ? null : facts.policiesOf(roleName);
    if (policies === null) return null;
    const refused = askedOf(call, surroundings).find(
      (question) => !policies.some((policy) => allows(policy, question)),
    );
    return refused === undefined ? null : deniedBy(call, refused.action, refused.resource);
  };
}

/** A call that its service refuses anyway, for the same reason, is the service's to answer. */
function askedOf(call: ServiceCall, surroundings: Surroundings): ReturnType<typeof questionsOf> {
  try {
    return questionsOf(call, surroundings);
  } catch (error) {
    if (error instanceof ServiceError) return [];
    throw error;
  }
}

function deniedBy({ caller, service }: ServiceCall, action: string, resource: string): ServiceError {
  const message = `${caller.arn} is not authorized to perform: ${action} on resource: ${resource} because no identity-based policy allows the action`;
  if (service === "ec2") return new ServiceError("UnauthorizedOperation", message, 403);
  if (service === "s3" || service === "iam") return new ServiceError("AccessDenied", message, 403);
  return new ServiceError("AccessDeniedException", message);
}
