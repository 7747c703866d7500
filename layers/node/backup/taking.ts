import type { PhysicalBackupType } from "../../domain/backup/backup.ts";
import { backupTakingUnit, nodePaths } from "../../domain/config/index.ts";
import type { BackupStanding } from "../../domain/node/backup-verbs.ts";
import { background, lastLines, outcomeOf, startUnit, stopUnit } from "../transient-unit.ts";
import { complaintIn, readRepository, takeArguments } from "./pgbackrest.ts";

/** The last lines of one that failed hold its complaint. */
const complaintLinesMax = 40;

async function complaintOf(unit: string): Promise<string> {
  return complaintIn(await lastLines(unit, complaintLinesMax)) ?? "pgBackRest ended without a word";
}

const absent: BackupStanding = { state: "absent", message: null, progress: null, backup: null };

/** The repository is asked after the unit: what ends in between is there by then. */
export async function standingOf(backupId: string): Promise<BackupStanding> {
  const unit = backupTakingUnit(backupId);
  const outcome = await outcomeOf(unit);
  const { backups, progress } = await readRepository();
  const backup = backups.find((one) => one.backupId === backupId) ?? null;
  if (backup !== null) return { ...absent, state: "done", backup };
  if (outcome === "running") return { ...absent, state: "running", progress };
  if (outcome !== "failed") return absent;
  return { ...absent, state: "failed", message: await complaintOf(unit) };
}

export async function beginTaking(backupId: string, type: PhysicalBackupType): Promise<void> {
  const properties = [
    ...background,
    "User=postgres",
    "Group=postgres",
    "SyslogIdentifier=pgbackrest",
    `ReadWritePaths=${nodePaths.backup}`,
  ];
  await startUnit(backupTakingUnit(backupId), properties, takeArguments(backupId, type));
}

export const stopTaking = (backupId: string): Promise<void> => stopUnit(backupTakingUnit(backupId));
