/** The cluster that a verb is for, as far as the models of verbs know it. */
export interface PaperPlace {
  /** Configured nodes, oldest first; the last one leads. */
  readonly nodeIds: readonly string[];
  /** Whether the node's machine is up. */
  readonly isUp: (nodeId: string) => boolean;
}
