import { memberName } from "./names.ts";

/** What a node's certificate is good for. */
export interface CertificateNames {
  readonly commonName: string;
  readonly dns: readonly string[];
  readonly ip: readonly string[];
}

const loopback = "127.0.0.1";

/**
 * Names in a node's certificate. HAProxy passes TLS through to the leader, so a client that dials one node is shown
 * another node's certificate: each carries the addresses of all nodes of the cluster. The node's own id, which no
 * other certificate has, tells the nodes apart where that matters.
 * The addresses are there as text too: libpq before version 15 compares an address with nothing else.
 */
export function certificateNames(nodeId: string, addresses: readonly string[]): CertificateNames {
  const all = [...new Set(addresses)];
  return {
    commonName: memberName(nodeId),
    dns: [memberName(nodeId), "localhost", ...all],
    ip: [loopback, ...all],
  };
}
