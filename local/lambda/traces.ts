import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { parseTrace, type Trace, traceHeader } from "../../layers/domain/trace.ts";
import type { LogFile } from "../state/log-file.ts";

const msPerSecond = 1_000;
const segmentIdBytes = 8;
const traceIdBytes = 12;
const secondsHexDigits = 8;

const hex = (bytes: number): string => randomBytes(bytes).toString("hex");

/** What X-Ray is told, one document a line: segments of functions by their host, the rest by themselves. */
export class Traces {
  readonly #daemon: Socket;
  readonly #log: LogFile;

  private constructor(daemon: Socket, log: LogFile) {
    this.#daemon = daemon;
    this.#log = log;
  }

  /** Listens as the X-Ray daemon does, on a port of this machine alone. */
  static async open(log: LogFile): Promise<Traces> {
    const daemon = createSocket("udp4");
    daemon.bind({ address: "127.0.0.1", port: 0 });
    await once(daemon, "listening");
    daemon.unref();
    const traces = new Traces(daemon, log);
    daemon.on("message", (datagram) => traces.#hear(datagram.toString()));
    return traces;
  }

  /** For `AWS_XRAY_DAEMON_ADDRESS`. */
  get daemonAddress(): string {
    const { address, port } = this.#daemon.address();
    return `${address}:${port}`;
  }

  /** Runs an invocation as a segment, of its caller's trace or of a new one. Here every trace is kept. */
  async within<T>(
    name: string,
    caller: string | undefined,
    invoke: (header: string) => Promise<T>,
  ): Promise<T> {
    const from = parseTrace(caller);
    const trace: Trace = {
      id: from?.id ?? newTraceId(),
      segmentId: hex(segmentIdBytes),
      isSampled: true,
    };
    const start = Date.now() / msPerSecond;
    let fault = true;
    try {
      const answer = await invoke(traceHeader(trace));
      fault = false;
      return answer;
    } finally {
      this.#write({
        name,
        id: trace.segmentId,
        trace_id: trace.id,
        ...(from?.segmentId == null ? {} : { parent_id: from.segmentId }),
        origin: "AWS::Lambda::Function",
        start_time: start,
        end_time: Date.now() / msPerSecond,
        ...(fault ? { fault } : {}),
      });
    }
  }

  close(): void {
    this.#daemon.close();
  }

  #hear(datagram: string): void {
    const document = datagram.slice(datagram.indexOf("\n") + 1);
    try {
      this.#write(JSON.parse(document));
    } catch (error) {
      process.stderr.write(`no X-Ray document: ${String(error)}\n`);
    }
  }

  #write(document: unknown): void {
    this.#log.append(`${JSON.stringify(document)}\n`);
  }
}

function newTraceId(): string {
  const seconds = Math.floor(Date.now() / msPerSecond).toString(16);
  return `1-${seconds.padStart(secondsHexDigits, "0")}-${hex(traceIdBytes)}`;
}
