import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { leaderPool, nodePaths } from "../../domain/config/index.ts";
import { NodeFailure } from "../failure.ts";

const socketTimeoutMs = 1000;

/** Sends commands to HAProxy, which answers and closes. @throws {NodeFailure} `proxy-refused` with what it said. */
async function command(commands: readonly string[]): Promise<void> {
  const socket = connect(nodePaths.proxySocket);
  socket.setTimeout(socketTimeoutMs, () => socket.destroy(new Error("HAProxy does not answer")));
  socket.end(`${commands.join(";")}\n`);
  const said = (await text(socket)).trim();
  if (said !== "") throw new NodeFailure(`HAProxy: ${said}`, { code: "proxy-refused" });
}

/**
 * HAProxy takes `leader` for the one that writes, and nobody else, without waiting for its next look. It goes on
 * looking: if this was wrong, the next look corrects it.
 */
export function pointProxyAt(leader: string, members: readonly string[]): Promise<void> {
  const others = members.filter((member) => member !== leader);
  return command([
    ...others.map((member) => `set server ${leaderPool}/${member} health down`),
    `set server ${leaderPool}/${leader} health up`,
  ]);
}
