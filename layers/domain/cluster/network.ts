/** @returns the network that a block lies in, as EC2 writes it: `10.0.0.0/8` for `10.0.0.1/8`. */
export function networkOf(cidr: string): string {
  const [address = "", length = ""] = cidr.split("/");
  const bytes = address.split(".").map((byte, index) => {
    const bits = Math.min(Math.max(Number(length) - 8 * index, 0), 8);
    return Number(byte) & (0xff << (8 - bits));
  });
  return `${bytes.join(".")}/${length}`;
}
