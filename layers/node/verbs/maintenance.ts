import type { maintenanceVerbs } from "../../domain/node/maintenance-verbs.ts";
import type { VerbFunction } from "../context.ts";
import { changeLogins } from "./change-logins.ts";
import { followPasswords } from "./follow-passwords.ts";
import { readLogs } from "./read-logs.ts";
import { reinitializeMember } from "./reinitialize-member.ts";
import { renewKey } from "./renew-key.ts";
import { restartMember } from "./restart-member.ts";
import { setPause } from "./set-pause.ts";
import { shutDown } from "./shut-down.ts";
import { switchPasswords } from "./switch-passwords.ts";

export const maintenance: { readonly [V in keyof typeof maintenanceVerbs]: VerbFunction<V> } = {
  "shut-down": shutDown,
  "restart-member": restartMember,
  "reinitialize-member": reinitializeMember,
  "set-pause": setPause,
  "read-logs": readLogs,
  "switch-passwords": switchPasswords,
  "follow-passwords": followPasswords,
  "change-logins": changeLogins,
  "renew-key": renewKey,
};
