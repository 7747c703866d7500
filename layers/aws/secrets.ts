import {
  DeleteParametersCommand,
  GetParameterCommand,
  GetParametersByPathCommand,
  PutParameterCommand,
  SSMClient,
  type SSMClientConfig,
} from "@aws-sdk/client-ssm";
import { tagNames } from "../domain/cluster/names.ts";
import type { EnvironmentSettings } from "../domain/environment.ts";
import type { Secrets } from "../ports/secrets.ts";
import { clientBehaviour } from "./clients.ts";
import { isAwsError } from "./errors.ts";

/** What one GetParametersByPath and one DeleteParameters take. */
const batchSize = 10;
/** A cluster has fewer than ten parameters; more rounds mean that someone else makes them. */
const roundsMax = 20;

/** Secrets as SecureStrings in Parameter Store, under the environment's own key. */
export class ParameterStoreSecrets implements Secrets {
  readonly #client: SSMClient;
  readonly #settings: EnvironmentSettings;

  constructor(settings: EnvironmentSettings, config: SSMClientConfig = {}) {
    this.#client = new SSMClient({ ...clientBehaviour, ...config });
    this.#settings = settings;
  }

  ensure: Secrets["ensure"] = async (name, clusterId, makeValue) => {
    try {
      await this.#client.send(
        new PutParameterCommand({
          Name: name,
          Value: await makeValue(),
          Type: "SecureString",
          KeyId: this.#settings.keyId,
          Overwrite: false,
          Tags: [
            { Key: tagNames.environment, Value: this.#settings.environment },
            { Key: tagNames.cluster, Value: clusterId },
          ],
        }),
      );
    } catch (error) {
      if (!isAwsError(error, ["ParameterAlreadyExists"])) throw error;
    }
  };

  /** Overwriting keeps the parameter's tags, and takes none. */
  replace: Secrets["replace"] = async (name, value) => {
    await this.#client.send(
      new PutParameterCommand({
        Name: name,
        Value: value,
        Type: "SecureString",
        KeyId: this.#settings.keyId,
        Overwrite: true,
      }),
    );
  };

  /** Parameter Store answers the names that it did not find and takes them for success. */
  remove: Secrets["remove"] = async (names) => {
    for (let from = 0; from < names.length; from += batchSize) {
      await this.#client.send(new DeleteParametersCommand({ Names: names.slice(from, from + batchSize) }));
    }
  };

  find: Secrets["find"] = async (name) => {
    try {
      return await this.read(name);
    } catch (error) {
      if (isAwsError(error, ["ParameterNotFound"])) return null;
      throw error;
    }
  };

  read: Secrets["read"] = async (name) => {
    const answer = await this.#client.send(new GetParameterCommand({ Name: name, WithDecryption: true }));
    const value = answer.Parameter?.Value;
    if (value === undefined) throw new Error(`Parameter Store answered no value for ${name}`);
    return value;
  };

  removeAll: Secrets["removeAll"] = async (path) => {
    for (let round = 0; round < roundsMax; round++) {
      const names = await this.#namesBelow(path);
      if (names.length === 0) return;
      await this.#client.send(new DeleteParametersCommand({ Names: names }));
    }
    throw new Error(`there are still parameters below ${path} after ${roundsMax} rounds of removing them`);
  };

  async #namesBelow(path: string): Promise<string[]> {
    const answer = await this.#client.send(
      new GetParametersByPathCommand({
        Path: path,
        Recursive: true,
        WithDecryption: false,
        MaxResults: batchSize,
      }),
    );
    return (answer.Parameters ?? []).flatMap((one) => one.Name ?? []);
  }
}
