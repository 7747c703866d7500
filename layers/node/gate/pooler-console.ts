import { connect, type Socket } from "node:net";
import { nodePorts } from "../../domain/cluster/node-ports.ts";
import { nodePaths } from "../../domain/config/paths.ts";
import { NodeFailure } from "../failure.ts";

/** PgBouncer lets its own user in by name, without a password, on its own socket. */
const user = "pgbouncer";
const database = "pgbouncer";
const protocolVersion = 196_608;
/** Length of a message's type and of its length field. */
const typeBytes = 1;
const lengthBytes = 4;

function startupMessage(): Buffer {
  const parameters = Buffer.from(`user\0${user}\0database\0${database}\0\0`);
  const head = Buffer.alloc(2 * lengthBytes);
  head.writeUInt32BE(head.length + parameters.length);
  head.writeUInt32BE(protocolVersion, lengthBytes);
  return Buffer.concat([head, parameters]);
}

function queryMessage(sql: string): Buffer {
  const text = Buffer.from(`${sql}\0`);
  const head = Buffer.alloc(typeBytes + lengthBytes);
  head.write("Q");
  head.writeUInt32BE(lengthBytes + text.length, typeBytes);
  return Buffer.concat([head, text]);
}

/** The message of an ErrorResponse: fields of a letter and a text. */
function errorText(body: Buffer): string {
  const fields = body.toString("utf8").split("\0");
  return fields.find((field) => field.startsWith("M"))?.slice(1) ?? "an error without a message";
}

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** A connection to PgBouncer's console (PostgreSQL's protocol, simple queries). */
export class PoolerConsole implements Disposable {
  readonly #socket: Socket;
  #unread = Buffer.alloc(0);
  #waiting: Waiting | null = null;
  #error: string | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (part: Buffer) => this.#take(part));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("PgBouncer closed the connection")));
  }

  /** @throws {NodeFailure} `pooler-silent` when PgBouncer does not run. */
  static async open(): Promise<PoolerConsole> {
    const socket = connect(`${nodePaths.poolerSocket}/.s.PGSQL.${nodePorts.pooled}`);
    const pooler = new PoolerConsole(socket);
    await pooler.#exchange(startupMessage());
    return pooler;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  /** @throws {NodeFailure} `pooler-refused` with what PgBouncer said. */
  command(sql: string): Promise<void> {
    return this.#exchange(queryMessage(sql));
  }

  #exchange(message: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#error = null;
      this.#socket.write(message);
    });
  }

  #take(part: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, part]);
    while (this.#unread.length >= typeBytes + lengthBytes) {
      const end = typeBytes + this.#unread.readUInt32BE(typeBytes);
      if (this.#unread.length < end) return;
      const type = String.fromCharCode(this.#unread[0] ?? 0);
      this.#read(type, this.#unread.subarray(typeBytes + lengthBytes, end));
      this.#unread = this.#unread.subarray(end);
    }
  }

  #read(type: string, body: Buffer): void {
    if (type === "E") this.#error = errorText(body);
    // ReadyForQuery ends every exchange; a refused login ends with the connection.
    if (type !== "Z") return;
    const waiting = this.#waiting;
    this.#waiting = null;
    if (this.#error === null) waiting?.resolve();
    else waiting?.reject(new NodeFailure(`PgBouncer: ${this.#error}`, { code: "pooler-refused" }));
  }

  #fail(cause: Error): void {
    const message = this.#error ?? cause.message;
    this.#waiting?.reject(
      new NodeFailure(`PgBouncer's console: ${message}`, { code: "pooler-silent", cause }),
    );
    this.#waiting = null;
  }
}
