import { connect, type TLSSocket } from "node:tls";
import { nodePorts } from "../../domain/cluster/node-ports.ts";
import type { Peer } from "../../domain/node/protocol.ts";
import { type Identity, ownIdentity } from "../identity.ts";
import { onLines, sendLine } from "./lines.ts";
import { type GateAnswer, type GateWord, gateAnswerSchema } from "./protocol.ts";

/** systemd starts the gate at the first knock; a busy small machine takes a second for that. */
const openTimeoutMs = 5_000;
/** Beyond what the word itself waits for: a healthy node answers within milliseconds. */
const answerSlackMs = 2_000;

interface Told {
  readonly nodeId: string;
  readonly answer: Extract<GateAnswer, { ok: true }> | null;
}

/** A connection to one node's gate. When it ends, the gate lets its clients go on. */
class GateLine {
  readonly #socket: TLSSocket;
  readonly #waiting: ((answer: GateAnswer) => void)[] = [];

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    onLines(socket, gateAnswerSchema, (answer) => this.#waiting.shift()?.(answer));
    socket.on("error", () => undefined);
    socket.on("close", () => {
      for (const waiting of this.#waiting.splice(0)) waiting({ ok: false, message: "the gate is gone" });
    });
  }

  tell(word: GateWord, timeoutMs: number): Promise<GateAnswer> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#socket.destroy();
        resolve({ ok: false, message: "the gate does not answer" });
      }, timeoutMs);
      this.#waiting.push((answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      if (this.#socket.destroyed) this.#waiting.pop()?.({ ok: false, message: "the gate is gone" });
      else sendLine(this.#socket, word);
    });
  }

  end(): void {
    this.#socket.destroy();
  }
}

function knock(peer: Peer, identity: Identity): Promise<GateLine> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...identity,
      host: peer.address,
      port: nodePorts.gate,
      // The certificate must be this very node's.
      servername: peer.nodeId,
    });
    socket.setNoDelay(true);
    const timer = setTimeout(() => socket.destroy(new Error("the gate does not open")), openTimeoutMs);
    socket.once("error", reject);
    socket.once("secureConnect", () => {
      clearTimeout(timer);
      resolve(new GateLine(socket));
    });
  });
}

/** The gates of all nodes whose clients the leader serves. */
export class Gates implements Disposable {
  readonly #lines: ReadonlyMap<string, GateLine>;
  /** Nodes whose gate did not open: their clients cannot be held. */
  readonly closed: readonly string[];

  private constructor(lines: ReadonlyMap<string, GateLine>, closed: readonly string[]) {
    this.#lines = lines;
    this.closed = closed;
  }

  static async open(peers: readonly Peer[]): Promise<Gates> {
    const identity = await ownIdentity();
    const lines = new Map<string, GateLine>();
    const closed: string[] = [];
    await Promise.all(
      peers.map(async (peer) => {
        try {
          lines.set(peer.nodeId, await knock(peer, identity));
        } catch (error) {
          // A node that is away has no clients that could be held.
          process.stderr.write(`${peer.nodeId}: ${error instanceof Error ? error.message : String(error)}\n`);
          closed.push(peer.nodeId);
        }
      }),
    );
    return new Gates(lines, closed);
  }

  [Symbol.dispose](): void {
    for (const line of this.#lines.values()) line.end();
  }

  /** Says the word at every gate at the same time. */
  async tell(word: GateWord): Promise<Told[]> {
    const timeoutMs = answerSlackMs + ("waitMs" in word ? word.waitMs : 0);
    return Promise.all(
      [...this.#lines].map(async ([nodeId, line]) => {
        const answer = await line.tell(word, timeoutMs);
        if (answer.ok) return { nodeId, answer };
        process.stderr.write(`${nodeId}: ${answer.message}\n`);
        return { nodeId, answer: null };
      }),
    );
  }
}
