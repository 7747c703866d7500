/** How a node is. */
export const inspectVerbs = {} as const;
