import { readFile } from "node:fs/promises";
import { Agent, request } from "node:https";
import { tlsFiles } from "../domain/config/index.ts";

/** A body that is longer is not what we asked for. */
const answerBytesMax = 1024 * 1024;

/** Patroni's REST API asks for them, beside the certificate, before it changes anything. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

export interface PeerAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** Speaks HTTPS with Patroni and etcd of this cluster: verifies them by the cluster's CA, shows the node's certificate. */
export class PeerClient implements Disposable {
  readonly #agent: Agent;

  private constructor(agent: Agent) {
    this.#agent = agent;
  }

  static async open(): Promise<PeerClient> {
    const files = tlsFiles("postgres");
    const [ca, cert, key] = await Promise.all(
      [files.authority, files.certificate, files.key].map((path) => readFile(path)),
    );
    return new PeerClient(new Agent({ ca, cert, key, keepAlive: true }));
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  get(address: string, port: number, path: string, timeoutMs: number): Promise<PeerAnswer> {
    return this.#send("GET", address, port, path, timeoutMs, null, null);
  }

  post(address: string, port: number, path: string, timeoutMs: number, body: object): Promise<PeerAnswer> {
    return this.#send("POST", address, port, path, timeoutMs, JSON.stringify(body), null);
  }

  patch(
    address: string,
    port: number,
    path: string,
    timeoutMs: number,
    body: object,
    credentials: Credentials,
  ): Promise<PeerAnswer> {
    return this.#send("PATCH", address, port, path, timeoutMs, JSON.stringify(body), credentials);
  }

  #send(
    method: "GET" | "POST" | "PATCH",
    address: string,
    port: number,
    path: string,
    timeoutMs: number,
    body: string | null,
    credentials: Credentials | null,
  ): Promise<PeerAnswer> {
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          method,
          host: address,
          port,
          path,
          agent: this.#agent,
          signal: AbortSignal.timeout(timeoutMs),
          ...(credentials === null ? {} : { auth: `${credentials.username}:${credentials.password}` }),
          headers:
            body === null
              ? {}
              : { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
        },
        (incoming) => {
          const parts: Buffer[] = [];
          let bytes = 0;
          incoming.on("data", (part: Buffer) => {
            bytes += part.length;
            if (bytes > answerBytesMax)
              incoming.destroy(new Error(`the answer of ${address}:${port} is too long`));
            else parts.push(part);
          });
          incoming.on("error", reject);
          incoming.on("end", () => {
            try {
              const parsed: unknown = JSON.parse(Buffer.concat(parts).toString("utf8"));
              resolve({ status: incoming.statusCode ?? 0, body: parsed });
            } catch (error) {
              reject(new Error(`${address}:${port}${path} did not answer JSON`, { cause: error }));
            }
          });
        },
      );
      outgoing.on("error", reject);
      outgoing.end(body ?? undefined);
    });
  }
}
