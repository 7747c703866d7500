import type { AuditEntry } from "../ports/store.ts";
import { newId } from "./ids.ts";

/** What pgherd is called where it acts by itself. */
export const systemPrincipal = "pgherd";

type Told = Pick<AuditEntry, "clusterId" | "at" | "action" | "operationId" | "detail">;

/** Of what nobody's call has asked for. @param what `principal` where a schedule has */
export function systemEntry(what: Told & Partial<Pick<AuditEntry, "id" | "principal">>): AuditEntry {
  return {
    id: newId("audit"),
    principal: systemPrincipal,
    role: "system",
    sourceAddress: "",
    requestId: "",
    ...what,
  };
}
