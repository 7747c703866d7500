import { nodePaths } from "../../domain/config/index.ts";
import { startUnit } from "../transient-unit.ts";

/** As PostgreSQL's user, in a system that it cannot change but for the data and what backups need. */
const properties = [
  "RemainAfterExit=yes",
  "User=postgres",
  "Group=postgres",
  "UMask=0077",
  // PostgreSQL's own fast stop; pgBackRest ends by it, too.
  "KillSignal=SIGINT",
  "KillMode=mixed",
  // Its last checkpoint, on a slow disk.
  "TimeoutStopSec=900",
  "LimitNOFILE=65536",
  `ReadWritePaths=${nodePaths.postgresParent} ${nodePaths.postgresSocket} ${nodePaths.backup}`,
];

/** Something that works on the data while PostgreSQL's own service is down. */
export function startDataUnit(unit: string, identifier: string, command: readonly string[]): Promise<void> {
  return startUnit(unit, [...properties, `SyslogIdentifier=${identifier}`], command);
}
