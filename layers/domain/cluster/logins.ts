import { z } from "zod";

/**
 * Users that people log in as have two login roles that take turns, so that a new password can be valid beside the old
 * one for a while. The first of a pair owns what both make and has the rights of both; the second one is its member
 * and becomes it at login.
 */
export const loginPairs = {
  admin: ["admin", "admin_2"],
  client: ["client", "client_2"],
} as const;

export const pairedUserSchema = z.enum(["admin", "client"]);
export type PairedUser = z.infer<typeof pairedUserSchema>;
export const pairedUsers = pairedUserSchema.options;

export const loginSchema = z.enum(["admin", "admin_2", "client", "client_2"]);
export type Login = z.infer<typeof loginSchema>;

/** The login that connections are told of, for each user. */
export const currentLoginsSchema = z.object({
  admin: z.enum(loginPairs.admin),
  client: z.enum(loginPairs.client),
});
export type CurrentLogins = z.infer<typeof currentLoginsSchema>;

/** What every cluster begins with. */
export const firstLogins: CurrentLogins = { admin: "admin", client: "client" };

/** Logins that stay valid beside the current ones until a time. */
export const retiringLoginsSchema = z.object({
  logins: z.array(loginSchema).min(1),
  until: z.iso.datetime(),
});
export type RetiringLogins = z.infer<typeof retiringLoginsSchema>;

/** The user that owns what a login makes. */
export function userOf(login: Login): PairedUser {
  return login === "admin" || login === "admin_2" ? "admin" : "client";
}

/** The other login of the pair. */
export function otherLogin(login: Login): Login {
  const [first, second] = loginPairs[userOf(login)];
  return login === first ? second : first;
}

/** Every login that is valid now, those that retire included. */
export function validLogins(cluster: {
  readonly logins: CurrentLogins;
  readonly retiring: RetiringLogins | null;
}): Login[] {
  const valid = new Set<Login>([
    cluster.logins.admin,
    cluster.logins.client,
    ...(cluster.retiring?.logins ?? []),
  ]);
  return loginSchema.options.filter((login) => valid.has(login));
}
