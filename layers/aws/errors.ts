/** AWS's own code of an error, such as `InvalidGroup.Duplicate`; the SDK keeps it in `name`. */
export function awsErrorCode(error: unknown): string | null {
  return error instanceof Error && "$metadata" in error ? error.name : null;
}

export function isAwsError(error: unknown, codes: readonly string[]): boolean {
  const code = awsErrorCode(error);
  return code !== null && codes.includes(code);
}
