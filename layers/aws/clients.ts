/** A connection to an AWS endpoint of the same region that takes longer than this will not come. */
const connectionTimeoutMs = 2_000;
/** EC2 answers slowly under load; a request that hangs longer than this is sent again. */
const requestTimeoutMs = 15_000;
/** Throttling and failures of a moment end within a few of the SDK's growing pauses. */
const attemptsMax = 5;

/** How the SDK's clients of the control plane behave: the same for every service that answers quickly. */
export const clientBehaviour = {
  maxAttempts: attemptsMax,
  requestHandler: { connectionTimeout: connectionTimeoutMs, requestTimeout: requestTimeoutMs },
} as const;
