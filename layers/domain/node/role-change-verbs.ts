/** Moving the leader, and what poolers do meanwhile. */
export const roleChangeVerbs = {} as const;
