import { z } from "zod";
import { passwordNameSchema } from "../node/maintenance-verbs.ts";
import { loginSchema, retiringLoginsSchema } from "./logins.ts";

/** What an operation that changes passwords is to do: its `request`. */
export const rotateRequestSchema = z.discriminatedUnion("mode", [
  /** New passwords of the same logins, valid from one moment to the next. */
  z.object({ mode: z.literal("at-once"), names: z.array(passwordNameSchema).min(1) }),
  /** The other logins of the pairs become current; those before stay valid until then. */
  z.object({
    mode: z.literal("take-turns"),
    begin: z.array(loginSchema).min(1),
    retiring: retiringLoginsSchema,
  }),
  /** The time is over: logins that retired end. */
  z.object({ mode: z.literal("retire"), end: z.array(loginSchema).min(1) }),
]);
export type RotateRequest = z.infer<typeof rotateRequestSchema>;
