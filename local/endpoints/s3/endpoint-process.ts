import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import type { ChildProgram } from "../child-program.ts";
import type { CallWatch } from "./front.ts";
import type { EndpointArgument, EndpointMessage, WatchMessage } from "./process-messages.ts";

const entry = join(import.meta.dirname, "endpoint-main.ts");
const startTimeoutMs = 20_000;

/** The endpoint's process, with the port that it listens on. */
export interface EndpointProgram extends ChildProgram {
  readonly port: number;
}

/** Starts the S3 endpoint's process, which ends with ours, and returns when it listens. */
export async function startObjectEndpoint(
  options: EndpointArgument & { readonly node: string; readonly watch: CallWatch },
): Promise<EndpointProgram> {
  const { node, watch, ...argument } = options;
  const child = fork(entry, [JSON.stringify(argument)], {
    // A session of its own: within the control plane's it would share the priority that the API has.
    detached: true,
    execPath: node,
    execArgv: ["--disable-warning=ExperimentalWarning"],
    env: { PATH: "/usr/bin:/bin", NODE_ENV: "production" },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const exited = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => resolve(`exit ${code ?? signal}`));
    child.once("error", (error) => resolve(String(error)));
  });
  const port = await awaitReady(child, exited, watch);
  const stop = async () => {
    child.kill("SIGTERM");
    await exited;
  };
  if (child.pid === undefined) throw new Error("the S3 endpoint has no process");
  return { pid: child.pid, port, exited, stop };
}

function awaitReady(child: ChildProcess, exited: Promise<string>, watch: CallWatch): Promise<number> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`the S3 endpoint did not answer within ${startTimeoutMs} ms`));
    }, startTimeoutMs);
    child.on("message", (message: EndpointMessage) => {
      if (message.kind === "ready") {
        clearTimeout(timer);
        resolve(message.port);
      } else void attend(child, message, watch);
    });
    void exited.then((how) => {
      clearTimeout(timer);
      reject(new Error(`the S3 endpoint ended at its start: ${how}`));
    });
  });
}

async function attend(
  child: ChildProcess,
  message: Exclude<EndpointMessage, { kind: "ready" }>,
  watch: CallWatch,
): Promise<void> {
  if (message.kind === "end") {
    watch.end(message.call);
    return;
  }
  const answer = await answerTo(message, watch);
  if (child.connected) child.send(answer);
}

async function answerTo(
  message: Exclude<EndpointMessage, { kind: "ready" | "end" }>,
  watch: CallWatch,
): Promise<WatchMessage> {
  const { call, id } = message;
  return message.kind === "begin"
    ? { kind: "effects", id, effects: await watch.begin(call) }
    : { kind: "refused", id, keys: await watch.refusedKeys(call, message.keys) };
}
