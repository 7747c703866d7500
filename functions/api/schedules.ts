import { type ClusterSpec, checkSchedules, Problem } from "@pgherd/layers/domain";

/** @param above where the spec is in the body. @throws {Problem} `schedule-too-frequent` */
export function refuseFrequentSchedules({ backup }: ClusterSpec, above = ""): void {
  const errors = checkSchedules(backup.schedules).map(({ message, path }) => ({
    path: `${above}${path}`,
    message,
  }));
  const [first] = errors;
  if (first === undefined) return;
  const field = first.path.slice(1).replaceAll("/", ".");
  throw new Problem("schedule-too-frequent", `${field} ${first.message}.`, { errors });
}
