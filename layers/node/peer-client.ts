import { Agent, request } from "node:https";
import { nodePorts } from "../domain/cluster/node-ports.ts";
import { ownIdentity } from "./identity.ts";

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

/** What Patroni says to a command: text for people. */
export interface PatroniReply {
  readonly status: number;
  readonly text: string;
}

interface Outgoing {
  readonly method: "GET" | "POST" | "PATCH";
  readonly address: string;
  readonly port: number;
  readonly path: string;
  readonly timeoutMs: number;
  readonly body: object | null;
  readonly credentials?: Credentials;
}

/** Speaks HTTPS with Patroni and etcd of this cluster: verifies them by the cluster's CA, shows the node's certificate. */
export class PeerClient implements Disposable {
  readonly #agent: Agent;

  private constructor(agent: Agent) {
    this.#agent = agent;
  }

  static async open(): Promise<PeerClient> {
    return new PeerClient(new Agent({ ...(await ownIdentity()), keepAlive: true }));
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  get(address: string, port: number, path: string, timeoutMs: number): Promise<PeerAnswer> {
    return this.#json({ method: "GET", address, port, path, timeoutMs, body: null });
  }

  /** For what answers without a body. */
  async status(address: string, port: number, path: string, timeoutMs: number): Promise<number> {
    return (await this.#send({ method: "GET", address, port, path, timeoutMs, body: null })).status;
  }

  post(address: string, port: number, path: string, timeoutMs: number, body: object): Promise<PeerAnswer> {
    return this.#json({ method: "POST", address, port, path, timeoutMs, body });
  }

  patch(
    address: string,
    port: number,
    path: string,
    timeoutMs: number,
    body: object,
    credentials: Credentials,
  ): Promise<PeerAnswer> {
    return this.#json({ method: "PATCH", address, port, path, timeoutMs, body, credentials });
  }

  /** Asks Patroni for something to happen; it answers in words. */
  command(
    address: string,
    path: string,
    timeoutMs: number,
    body: object,
    credentials: Credentials,
  ): Promise<PatroniReply> {
    return this.#send({
      method: "POST",
      address,
      port: nodePorts.patroni,
      path,
      timeoutMs,
      body,
      credentials,
    });
  }

  async #json(outgoing: Outgoing): Promise<PeerAnswer> {
    const { status, text } = await this.#send(outgoing);
    try {
      const body: unknown = JSON.parse(text);
      return { status, body };
    } catch (error) {
      const { address, port, path } = outgoing;
      throw new Error(`${address}:${port}${path} did not answer JSON`, { cause: error });
    }
  }

  #send({ body, timeoutMs, credentials, address, ...outgoing }: Outgoing): Promise<PatroniReply> {
    const content = body === null ? null : JSON.stringify(body);
    const described =
      content === null
        ? {}
        : { "content-type": "application/json", "content-length": Buffer.byteLength(content) };
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          ...outgoing,
          host: address,
          agent: this.#agent,
          signal: AbortSignal.timeout(timeoutMs),
          ...(credentials === undefined ? {} : { auth: `${credentials.username}:${credentials.password}` }),
          headers: described,
        },
        (incoming) => {
          const parts: Buffer[] = [];
          let bytes = 0;
          incoming.on("data", (part: Buffer) => {
            bytes += part.length;
            if (bytes > answerBytesMax)
              incoming.destroy(new Error(`the answer of ${address}:${outgoing.port} is too long`));
            else parts.push(part);
          });
          incoming.on("error", reject);
          incoming.on("end", () =>
            resolve({ status: incoming.statusCode ?? 0, text: Buffer.concat(parts).toString("utf8") }),
          );
        },
      );
      sent.on("error", reject);
      sent.end(content ?? undefined);
    });
  }
}
