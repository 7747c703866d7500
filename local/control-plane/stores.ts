import { join } from "node:path";
import { startDynamoDb } from "../endpoints/dynamodb/server.ts";
import { startObjectStore } from "../endpoints/s3/store.ts";
import { writeEnvironmentFile } from "../environment/client-files.ts";
import type { EnvironmentPaths } from "../environment/paths.ts";
import type { EnvironmentSettings } from "../environment/settings.ts";
import { KeptChild } from "./children.ts";
import type { Log } from "./log.ts";

/** DynamoDB Local and the object store: processes of their own, kept up. */
export class Stores {
  readonly #paths: EnvironmentPaths;
  readonly #settings: EnvironmentSettings;
  readonly #dynamoDb: KeptChild;
  readonly #objectStore: KeptChild;

  constructor(options: {
    paths: EnvironmentPaths;
    settings: EnvironmentSettings;
    dynamoDbLibraries: string;
    log: Log;
  }) {
    const { paths, settings } = options;
    this.#paths = paths;
    this.#settings = settings;
    const log = (line: string) => options.log.line(line);
    this.#dynamoDb = new KeptChild({
      name: "DynamoDB Local",
      start: () =>
        startDynamoDb({
          libraryDirectory: options.dynamoDbLibraries,
          port: settings.ports.dynamoDb,
          dataDirectory: paths.dynamoDb,
          logFile: join(paths.logs, "dynamodb.log"),
        }),
      log,
    });
    this.#objectStore = new KeptChild({
      name: "the object store",
      start: () => startObjectStore({ directory: paths.objects, node: process.execPath }),
      log,
    });
  }

  async start(): Promise<void> {
    await Promise.all([this.#dynamoDb.start(), this.#objectStore.start()]);
  }

  /** From now on `environment.json` names the processes that serve, also when one is started again. */
  async announce(): Promise<void> {
    const write = (): Promise<void> =>
      writeEnvironmentFile(this.#paths, this.#settings, {
        controlPlane: process.pid,
        ...(this.#dynamoDb.pid === null ? {} : { dynamoDb: this.#dynamoDb.pid }),
        ...(this.#objectStore.pid === null ? {} : { objectStore: this.#objectStore.pid }),
      });
    this.#dynamoDb.onChange = write;
    this.#objectStore.onChange = write;
    await write();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#dynamoDb.stop(), this.#objectStore.stop()]);
  }
}
