/** Restart, reinitialize, pause, stop, passwords, logs. */
export const maintenanceVerbs = {} as const;
