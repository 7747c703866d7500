import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";

/** Of one conditional write. False: its condition has refused it. */
export async function succeeds(sent: Promise<unknown>): Promise<boolean> {
  try {
    await sent;
    return true;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return false;
    throw error;
  }
}
