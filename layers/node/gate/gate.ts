import { readFile } from "node:fs/promises";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { tlsFiles } from "../../domain/config/index.ts";
import { Hold } from "./hold.ts";
import { onLines, sendLine } from "./lines.ts";
import { type GateAnswer, type GateWord, gateWordSchema } from "./protocol.ts";
import { pointProxyAt } from "./proxy-socket.ts";

/**
 * The gate of a node: lets its clients' transactions through, or holds them while the leader moves. systemd starts it
 * when a conductor knocks; it ends when nobody has for a while. Only certificates of the cluster are let in.
 */

/** The first file descriptor that systemd hands over. */
const listeningDescriptor = 3;
/** Between two role changes it is started again; during one it never has to be. */
const idleMs = 10_000;

/** A proxy that is away, or another one's, finds the leader by itself a little later. */
async function point(leader: string, members: readonly string[]): Promise<void> {
  try {
    await pointProxyAt(leader, members);
  } catch (error) {
    complain(error);
  }
}

async function obey(hold: Hold, word: GateWord): Promise<GateAnswer> {
  switch (word.say) {
    case "ready":
      return { ok: true, pooler: await hold.ready(), idle: false, heldMs: 0 };
    case "hold": {
      const pooler = await hold.ready();
      const idle = await hold.hold(word.waitMs, word.leaseMs);
      return { ok: true, pooler, idle, heldMs: hold.heldMs };
    }
    case "renew":
      await hold.renew(word.leaseMs);
      return { ok: true, pooler: true, idle: false, heldMs: hold.heldMs };
    case "release":
      if (word.towards !== null) await point(word.towards.leader, word.towards.members);
      return { ok: true, pooler: true, idle: false, heldMs: await hold.release() };
  }
}

function complain(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
}

/** A conductor that goes away, however it does, leaves nothing held. */
function serve(socket: TLSSocket): void {
  const hold = new Hold();
  let turn: Promise<void> = Promise.resolve();
  const answer = async (word: GateWord): Promise<void> => {
    try {
      sendLine(socket, await obey(hold, word));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (!socket.destroyed) sendLine(socket, { ok: false, message } satisfies GateAnswer);
    }
  };
  socket.setNoDelay(true);
  onLines(socket, gateWordSchema, (word) => {
    turn = turn.then(() => answer(word));
  });
  socket.on("error", complain);
  socket.on("close", () => void hold[Symbol.asyncDispose]().catch(complain));
}

/** Ends the process when nobody has been there for a while. */
function endWhenIdle(server: Server): void {
  let timer = setTimeout(() => server.close(), idleMs);
  let guests = 0;
  server.on("connection", (socket) => {
    guests += 1;
    clearTimeout(timer);
    socket.once("close", () => {
      guests -= 1;
      if (guests === 0) timer = setTimeout(() => server.close(), idleMs);
    });
  });
}

export async function keepGate(): Promise<void> {
  const files = tlsFiles("pgbouncer");
  const [key, cert, ca] = await Promise.all(
    [files.key, files.certificate, files.authority].map((path) => readFile(path)),
  );
  const server = createServer({ key, cert, ca, requestCert: true, rejectUnauthorized: true }, serve);
  server.on("tlsClientError", complain);
  endWhenIdle(server);
  server.listen({ fd: listeningDescriptor });
}
