/** What a node reads from AWS with its instance role. The clients load when they are needed, not at every command. */

/** Parameter Store's own limit for one GetParameters call. */
const namesPerCall = 10;
const connectionTimeoutMs = 2_000;
const requestTimeoutMs = 10_000;
const attemptsMax = 5;

/** Decrypted values by name. @throws when a parameter does not exist. */
export async function readParameters(names: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const { GetParametersCommand, SSMClient } = await import("@aws-sdk/client-ssm");
  const client = new SSMClient({
    maxAttempts: attemptsMax,
    requestHandler: { connectionTimeout: connectionTimeoutMs, requestTimeout: requestTimeoutMs },
  });
  try {
    const values = new Map<string, string>();
    for (let first = 0; first < names.length; first += namesPerCall) {
      const some = names.slice(first, first + namesPerCall);
      const answer = await client.send(new GetParametersCommand({ Names: some, WithDecryption: true }));
      for (const { Name, Value } of answer.Parameters ?? []) {
        if (Name !== undefined && Value !== undefined) values.set(Name, Value);
      }
    }
    const missing = names.filter((name) => !values.has(name));
    if (missing.length > 0) throw new Error(`Parameter Store has no ${missing.join(", ")}`);
    return values;
  } finally {
    client.destroy();
  }
}
