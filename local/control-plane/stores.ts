import { join } from "node:path";
import { startDynamoDb } from "../endpoints/dynamodb/server.ts";
import type { Faults } from "../endpoints/faults.ts";
import type { Recorder } from "../endpoints/recorder.ts";
import { startObjectEndpoint } from "../endpoints/s3/endpoint-process.ts";
import { watchCalls } from "../endpoints/s3/watch.ts";
import { writeEnvironmentFile } from "../environment/client-files.ts";
import type { EnvironmentPaths } from "../environment/paths.ts";
import type { EnvironmentSettings } from "../environment/settings.ts";
import { gatewayAddress } from "../machines/addresses.ts";
import { redirectServices } from "../machines/network.ts";
import type { Refusal } from "../permissions/refuse.ts";
import type { CallListener } from "../permissions/watch.ts";
import { KeptChild } from "./children.ts";
import { foreignPlace } from "./foreign-store.ts";
import type { Log } from "./log.ts";

/** DynamoDB Local and the S3 that machines speak to: processes of their own, kept up. */
export class Stores {
  readonly #paths: EnvironmentPaths;
  readonly #settings: EnvironmentSettings;
  readonly #dynamoDb: KeptChild;
  readonly #objectStore: KeptChild;

  constructor(options: {
    paths: EnvironmentPaths;
    settings: EnvironmentSettings;
    dynamoDbLibraries: string;
    recorder: Recorder;
    faults: Faults;
    onCall: CallListener;
    refusal: Refusal;
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
      start: async () => {
        const endpoint = await startObjectEndpoint({
          directory: paths.objects,
          host: gatewayAddress(settings.cidr),
          region: settings.region,
          account: settings.account,
          certificateFile: paths.keys.objects,
          identitiesFile: paths.keys.identities,
          foreign: foreignPlace(paths, settings),
          node: process.execPath,
          watch: watchCalls(options),
        });
        try {
          const ports = { metadata: settings.ports.metadata, objects: endpoint.port };
          await redirectServices(settings, ports);
        } catch (error) {
          await endpoint.stop();
          throw error;
        }
        return endpoint;
      },
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
