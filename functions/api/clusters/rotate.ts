import {
  type Cluster,
  type ClusterStatus,
  currentLoginsSchema,
  otherLogin,
  type PairedUser,
  type PasswordOwner,
  Problem,
  pairedUsers,
  passwordOwners,
} from "@pgherd/layers/domain";
import { defineRoute, dryRunQuery, named, type Route, z } from "@pgherd/layers/runtime/http";
import type { ApiContext } from "../context.ts";
import { clusterParams } from "../schemas.ts";
import {
  checkReady,
  operationProblems,
  operationResponses,
  startOperation,
  type Undertaking,
} from "../start-operation.ts";
import { findCluster } from "./find.ts";

const statuses: readonly ClusterStatus[] = ["available", "degraded"];
/** Shorter than a reconciler's minute makes no sense; an old password that is valid for longer is no rotation. */
const graceSeconds = { min: 60, max: 31 * 24 * 3600 } as const;

const body = z.strictObject({
  what: z.enum(["passwords", "certificates"]),
  users: z.array(z.enum(passwordOwners)).min(1).optional().meta({
    description:
      "Whose passwords. Default: all; with `graceSeconds` those that have two logins: `admin` and `client`.",
  }),
  graceSeconds: z.int().min(graceSeconds.min).max(graceSeconds.max).optional().meta({
    description:
      "For so long the login before stays valid: the user gets its other login, and `connection` names it. Default: one login, and its password changes from one moment to the next.",
  }),
});
type Body = z.infer<typeof body>;

export function rotateCluster(context: ApiContext): Route {
  return defineRoute(
    {
      method: "post",
      path: "/v1/clusters/{clusterId}/rotate",
      operationId: "rotateCluster",
      tag: "clusters",
      summary: "Rotate passwords or certificates",
      description:
        "Passwords: new ones in PostgreSQL, Parameter Store and every pooler; open connections live on. Certificates: every node makes a new key and gets a new certificate; services reload and drop no connection.",
      role: "operator",
      isMutation: true,
      isConditional: true,
      params: clusterParams,
      query: z.strictObject(dryRunQuery),
      body: named("RotateCluster", body),
      example: { what: "passwords", users: ["client"], graceSeconds: 3600 },
      responses: operationResponses,
      problems: operationProblems,
    },
    async (call) => {
      const cluster = await findCluster(context, call.params.clusterId);
      checkBody(call.body);
      checkReady(call, cluster, "get new passwords and certificates", statuses);
      return startOperation(context, call, cluster, undertakingOf(cluster, call.body));
    },
  );
}

/** Rules between fields. */
function checkBody({ what, users, graceSeconds: grace }: Body): void {
  const errors: { path: string; message: string }[] = [];
  const ofPasswords = "must be left out for certificates: it is about passwords";
  if (what === "certificates" && users !== undefined) errors.push({ path: "/users", message: ofPasswords });
  if (what === "certificates" && grace !== undefined)
    errors.push({ path: "/graceSeconds", message: ofPasswords });
  if (what === "passwords" && grace !== undefined) {
    for (const [index, user] of (users ?? []).entries()) {
      if (isPaired(user)) continue;
      const message = `must be ${pairedUsers.join(" or ")}: ${user} has one login, and changes without graceSeconds`;
      errors.push({ path: `/users/${index}`, message });
    }
  }
  if (errors.length === 0) return;
  throw new Problem("invalid-request", "The rotation cannot be carried out; errors says where and why.", {
    errors,
  });
}

const isPaired = (user: PasswordOwner): user is PairedUser => pairedUsers.some((one) => one === user);

function undertakingOf(cluster: Cluster, { what, users, graceSeconds: grace }: Body): Undertaking {
  const { name, status } = cluster;
  if (what === "certificates") {
    return {
      kind: "rotate-certificates",
      status,
      summary: `Give every node of cluster "${name}" a new key and certificate.`,
      interrupts: [],
    };
  }
  if (grace !== undefined) return turnsOf(cluster, users?.filter(isPaired) ?? [...pairedUsers], grace);
  const owners = [...new Set(users ?? passwordOwners)];
  const names = owners.map((owner) => (isPaired(owner) ? cluster.logins[owner] : owner));
  return {
    kind: "rotate-credentials",
    status,
    summary: `Change the passwords of ${owners.join(", ")} of cluster "${name}".`,
    interrupts: ["Logins with the old passwords, from the change on. Open connections live on."],
    request: { mode: "at-once", names },
  };
}

function turnsOf(cluster: Cluster, users: readonly PairedUser[], grace: number): Undertaking {
  if (cluster.retiring !== null) {
    const { logins, until } = cluster.retiring;
    throw new Problem(
      "wrong-status",
      `The logins before (${logins.join(", ")}) of cluster ${cluster.id} are valid until ${until}: their turn is not over. Rotate then, or now without graceSeconds.`,
    );
  }
  const until = new Date(Date.now() + grace * 1000).toISOString();
  const chosen = [...new Set(users)];
  const logins = chosen.map((user) => currentLoginsSchema.shape[user].parse(cluster.logins[user]));
  return {
    kind: "rotate-credentials",
    status: cluster.status,
    summary: `Give ${chosen.join(" and ")} of cluster "${cluster.name}" another login; those before stay valid until ${until}.`,
    interrupts: [`Logins as ${logins.join(" and ")}, from ${until} on. Open connections live on.`],
    request: { mode: "take-turns", begin: logins.map(otherLogin), retiring: { logins, until } },
  };
}
