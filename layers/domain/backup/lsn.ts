const lsnPattern = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/;
const lowBits = 32n;

/** Bytes since the beginning of all WAL; null for what is no LSN. */
export function parseLsn(text: string): bigint | null {
  const match = lsnPattern.exec(text);
  if (match === null) return null;
  const [, high = "", low = ""] = match;
  return (BigInt(`0x${high}`) << lowBits) + BigInt(`0x${low}`);
}

/** As PostgreSQL writes it. */
export function formatLsn(bytes: bigint): string {
  const low = bytes & ((1n << lowBits) - 1n);
  return `${(bytes >> lowBits).toString(16).toUpperCase()}/${low.toString(16).toUpperCase()}`;
}
