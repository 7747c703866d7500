import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { parseTrace, subsegmentOf, type TracedWork, traceVariable } from "../domain/trace.ts";

/** Where the X-Ray daemon listens, in functions that are traced. */
const daemonVariable = "AWS_XRAY_DAEMON_ADDRESS";
/** What the daemon expects before a document. */
const header = '{"format":"json","version":1}\n';
const idBytes = 8;

/** Tells X-Ray of work that this process has asked somebody else for. Nobody waits long: the daemon is on this machine. */
export async function traceWork(work: Omit<TracedWork, "id">): Promise<void> {
  const [host, port] = process.env[daemonVariable]?.split(":") ?? [];
  const id = randomBytes(idBytes).toString("hex");
  const document = subsegmentOf(parseTrace(process.env[traceVariable]), { ...work, id });
  if (host === undefined || port === undefined || document === null) return;
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => {
    // A datagram that is lost costs a line in a picture, and no command.
    socket.send(`${header}${JSON.stringify(document)}`, Number(port), host, () => resolve());
  });
  socket.close();
}
