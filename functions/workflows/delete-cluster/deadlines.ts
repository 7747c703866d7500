/** How long the parts of a delete may take, and how often somebody looks. */
export interface DeleteDeadlines {
  /** One try waits for the final backup for so long; what is left is waited for in the next one. */
  readonly sliceMs: number;
  readonly lookMs: number;
  readonly clientsSeconds: number;
  readonly archiveSeconds: number;
}

export const deleteDeadlines: DeleteDeadlines = {
  sliceMs: 300_000,
  lookMs: 2_000,
  clientsSeconds: 30,
  archiveSeconds: 60,
};
