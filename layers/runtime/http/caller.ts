import { z } from "zod";
import type { EnvironmentSettings } from "../../domain/environment.ts";
import { Problem } from "../../domain/problems.ts";

/** Each role may do what the ones before it may. */
export const roles = ["viewer", "operator", "admin"] as const;
export type Role = (typeof roles)[number];

export interface Caller {
  readonly principal: string;
  readonly role: Role | null;
  readonly sourceAddress: string;
}

/** The part of API Gateway's request context (payload 2.0) that says who calls. */
const contextSchema = z.object({
  requestId: z.string().optional(),
  http: z.object({ sourceIp: z.string().optional() }).optional(),
  authorizer: z
    .object({
      jwt: z.object({ claims: z.record(z.string(), z.unknown()) }).optional(),
      iam: z.object({ userArn: z.string() }).optional(),
    })
    .optional(),
});
export type RequestContext = z.infer<typeof contextSchema>;

export function readRequestContext(context: unknown): RequestContext {
  const parsed = contextSchema.safeParse(context);
  return parsed.success ? parsed.data : {};
}

/** Who calls, as the gateway's authorizer found it; null where no authorizer let anyone in. */
export function readCaller(
  context: RequestContext,
  principals: EnvironmentSettings["principals"],
): Caller | null {
  const sourceAddress = context.http?.sourceIp ?? "unknown";
  const claims = context.authorizer?.jwt?.claims;
  if (claims !== undefined) {
    const subject = claims["sub"];
    if (typeof subject !== "string" || subject === "") return null;
    return { principal: subject, role: roleOf(claims["role"]), sourceAddress };
  }
  const arn = context.authorizer?.iam?.userArn;
  if (arn === undefined) return null;
  return { principal: arn, role: roleOfPrincipal(arn, principals), sourceAddress };
}

function roleOf(value: unknown): Role | null {
  return roles.find((role) => role === value) ?? null;
}

/** Sessions of an IAM role have an ARN of their own, in which the role's path is lost. */
function roleOfPrincipal(arn: string, principals: EnvironmentSettings["principals"]): Role | null {
  const exact = principals[arn];
  if (exact !== undefined) return exact;
  const session = /^arn:(aws[\w-]*):sts::(\d{12}):assumed-role\/([^/]+)\//.exec(arn);
  if (session === null) return null;
  const [, partition, account, name] = session;
  const match = Object.entries(principals).find(([principal]) => {
    const isRole = principal.startsWith(`arn:${partition}:iam::${account}:role/`);
    return isRole && principal.split("/").at(-1) === name;
  });
  return match?.[1] ?? null;
}

/** @throws {Problem} `unauthenticated` or `forbidden` */
export function authorize(caller: Caller | null, needed: Role): Caller & { readonly role: Role } {
  if (caller === null) {
    throw new Problem("unauthenticated", "The request carries no credentials that this environment knows.");
  }
  const { role } = caller;
  if (role === null) {
    throw new Problem("forbidden", `${caller.principal} has no role in this environment.`);
  }
  if (roles.indexOf(role) < roles.indexOf(needed)) {
    throw new Problem("forbidden", `This needs the role ${needed}; ${caller.principal} has ${role}.`);
  }
  return { ...caller, role };
}
