import { chown, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { nodePaths } from "../../domain/config/index.ts";
import { account } from "../accounts.ts";
import { ensureDirectory, root } from "../files.ts";

/**
 * Patroni's start wrapper asks before it steps down as planned: by then all of Patroni's own preparation is done, and
 * that is time during which nobody has to be held.
 */
export class StepDown implements AsyncDisposable {
  readonly #server: Server;
  readonly #asked: Promise<Socket>;

  private constructor(server: Server, asked: Promise<Socket>) {
    this.#server = server;
    this.#asked = asked;
  }

  static async listen(): Promise<StepDown> {
    await ensureDirectory(dirname(nodePaths.stepDownSocket), root, 0o755);
    // What a conductor left that was killed; only one runs at a time.
    await rm(nodePaths.stepDownSocket, { force: true });
    const server = createServer();
    const asked = new Promise<Socket>((resolve) => server.once("connection", resolve));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(nodePaths.stepDownSocket, resolve);
    });
    const postgres = await account("postgres");
    await chown(nodePaths.stepDownSocket, postgres.uid, postgres.gid);
    return new StepDown(server, asked);
  }

  /** Resolves when Patroni asks. */
  async asked(): Promise<void> {
    await this.#asked;
  }

  /** Null: it may. Otherwise why not. */
  async answer(objection: string | null): Promise<void> {
    const socket = await this.#asked;
    socket.on("error", () => undefined);
    socket.end(objection === null ? "yes\n" : `no ${objection}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    await rm(nodePaths.stepDownSocket, { force: true });
  }
}
