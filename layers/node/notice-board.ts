import { z } from "zod";
import { nodePorts } from "../domain/cluster/node-ports.ts";
import { dcsPeersFrom } from "../domain/config/index.ts";
import type { NodeIntent } from "../domain/node/protocol.ts";
import { Deadline } from "./deadline.ts";
import { NodeFailure } from "./failure.ts";
import type { PeerClient } from "./peer-client.ts";

const prefix = "/pgherd-notices";
const requestTimeoutMs = 1_000;
/** How soon a notice is seen: a read of etcd takes a millisecond or two. */
const pollMs = 10;

const grantSchema = z.object({ ID: z.string() });
const rangeSchema = z.object({ kvs: z.array(z.object({ key: z.string() })).default([]) });

const encode = (text: string): string => Buffer.from(text).toString("base64");
const decode = (text: string): string => Buffer.from(text, "base64").toString();

/**
 * What the nodes of a cluster tell each other while they do something at the same moment: names in etcd that vanish by
 * themselves. Nothing outlives the occasion.
 */
export class NoticeBoard {
  readonly #client: PeerClient;
  readonly #addresses: readonly string[];
  readonly #path: string;
  readonly #lease: string;

  private constructor(client: PeerClient, addresses: readonly string[], path: string, lease: string) {
    this.#client = client;
    this.#addresses = addresses;
    this.#path = path;
    this.#lease = lease;
  }

  static async open(
    client: PeerClient,
    intent: NodeIntent,
    occasion: string,
    lifeSeconds: number,
  ): Promise<NoticeBoard> {
    const addresses = dcsPeersFrom(intent.nodeId, intent.peers).map((peer) => peer.address);
    const grant = await ask(client, addresses, "/v3/lease/grant", { TTL: lifeSeconds });
    const path = `${prefix}/${intent.clusterId}/${occasion}/`;
    return new NoticeBoard(client, addresses, path, grantSchema.parse(grant).ID);
  }

  async post(name: string): Promise<void> {
    await this.#ask("/v3/kv/put", { key: encode(`${this.#path}${name}`), value: "", lease: this.#lease });
  }

  /** Names that have been posted and have not vanished. */
  async read(): Promise<ReadonlySet<string>> {
    // The end of a range of keys with a common beginning is that beginning with its last byte raised: "/" → "0".
    const end = `${this.#path.slice(0, -1)}0`;
    const answer = await this.#ask("/v3/kv/range", {
      key: encode(this.#path),
      range_end: encode(end),
      keys_only: true,
    });
    return new Set(rangeSchema.parse(answer).kvs.map(({ key }) => decode(key).slice(this.#path.length)));
  }

  /** Waits until all of the names are there; at the deadline answers those that are not. */
  async awaitAll(names: readonly string[], deadline: Deadline): Promise<readonly string[]> {
    let missing = names;
    const limit = new Deadline(deadline.remainingMs);
    while (missing.length > 0) {
      const posted = await this.read();
      missing = names.filter((name) => !posted.has(name));
      if (missing.length === 0 || limit.passed) break;
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
    return missing;
  }

  #ask(path: string, body: object): Promise<unknown> {
    return ask(this.#client, this.#addresses, path, body);
  }
}

/** The first etcd member that answers. */
async function ask(
  client: PeerClient,
  addresses: readonly string[],
  path: string,
  body: object,
): Promise<unknown> {
  const failures: unknown[] = [];
  for (const address of addresses) {
    try {
      const answer = await client.post(address, nodePorts.etcdClient, path, requestTimeoutMs, body);
      if (answer.status === 200) return answer.body;
      failures.push(new Error(`${address} answered ${answer.status}`));
    } catch (error) {
      failures.push(error);
    }
  }
  throw new NodeFailure("no etcd member answers", { code: "no-dcs", cause: new AggregateError(failures) });
}
