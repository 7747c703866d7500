/** Joining and leaving: etcd members, clones, volumes. */
export const membershipVerbs = {} as const;
