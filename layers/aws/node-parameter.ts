import { PutParameterCommand, SSMClient } from "@aws-sdk/client-ssm";

const connectionTimeoutMs = 2_000;
const requestTimeoutMs = 10_000;
const attemptsMax = 5;

/** Writes what everybody who may look may know, in place of what was there. */
export async function publishParameter(name: string, value: string): Promise<void> {
  const client = new SSMClient({
    maxAttempts: attemptsMax,
    requestHandler: { connectionTimeout: connectionTimeoutMs, requestTimeout: requestTimeoutMs },
  });
  try {
    await client.send(new PutParameterCommand({ Name: name, Value: value, Type: "String", Overwrite: true }));
  } finally {
    client.destroy();
  }
}
