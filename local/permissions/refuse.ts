import { allows } from "../endpoints/iam/policy.ts";
import { RoleFacts, type RoleRights } from "../endpoints/iam/roles.ts";
import { ServiceError } from "../endpoints/service.ts";
import type { Documents } from "../state/documents.ts";
import { questionsOf } from "./questions.ts";
import type { Question, ServiceCall, Surroundings } from "./use.ts";

/** What a service answers to a call that its caller may not make; null: the caller may. */
export type Refusal = (call: ServiceCall) => ServiceError | null;

/**
 * Holds nodes to the policy of their cluster's role, and that to its boundary: whoever gets into one node gets nothing of
 * another cluster here either. What functions may do is replayed against the templates' policies: docs/decisions/permission-replay.md.
 */
export function refusalOf(documents: Documents, surroundings: Surroundings): Refusal {
  const facts = new RoleFacts(documents);
  return (call) => {
    const { roleName } = call.caller;
    const rights = roleName === null ? null : facts.rightsOf(roleName);
    if (rights === null) return null;
    for (const question of askedOf(call, surroundings)) {
      const silent = silentOn(question, rights);
      if (silent !== null) return deniedBy(call, question, silent);
    }
    return null;
  };
}

/** What does not allow it, in IAM's words; null: everything does that has to. */
function silentOn(question: Question, { boundary, own }: RoleRights): string | null {
  if (!own.some((policy) => allows(policy, question))) return "identity-based policy";
  return boundary === null || allows(boundary, question) ? null : "permissions boundary";
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

function deniedBy({ caller, service }: ServiceCall, question: Question, silent: string): ServiceError {
  const { action, resource } = question;
  const message = `${caller.arn} is not authorized to perform: ${action} on resource: ${resource} because no ${silent} allows the ${action} action`;
  if (service === "ec2") return new ServiceError("UnauthorizedOperation", message, 403);
  if (service === "s3" || service === "iam") return new ServiceError("AccessDenied", message, 403);
  return new ServiceError("AccessDeniedException", message);
}
