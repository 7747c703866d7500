import type { Cluster } from "../../layers/domain/cluster/cluster.ts";
import { readIfThere } from "../environment/files.ts";
import type { EnvironmentPaths } from "../environment/paths.ts";
import { addressesOf, type EnvironmentSettings } from "../environment/settings.ts";
import { UserError } from "./terminal.ts";

/** The API answers within a second; on a machine that is busy starting, a few. */
const requestTimeoutMs = 30_000;
const pageSize = 100;

/** The environment's own API, as its commands call it: with the token that they made. */
export class ApiClient {
  readonly #base: string;
  readonly #tokenFile: string;

  constructor(paths: EnvironmentPaths, settings: EnvironmentSettings) {
    this.#base = addressesOf(settings).api;
    this.#tokenFile = paths.token;
  }

  /** @throws {UserError} with the problem's own words. */
  async call<T>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<T> {
    const token = (await readIfThere(this.#tokenFile))?.trim();
    if (token === undefined) throw new UserError("the environment was never started to the end: npm start");
    const response = await this.#fetch(path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(requestTimeoutMs),
    });
    const answer = (await response.json()) as T & { code?: string; detail?: string };
    if (!response.ok)
      throw new UserError(`${method} ${path}: ${answer.detail ?? answer.code ?? response.status}`);
    return answer;
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    try {
      return await fetch(`${this.#base}${path}`, init);
    } catch (error) {
      throw new UserError(`the API does not answer at ${this.#base}: npm start brings it up`, {
        cause: error,
      });
    }
  }

  async clusters(): Promise<readonly Cluster[]> {
    const { items } = await this.call<{ items: Cluster[] }>("GET", `/v1/clusters?limit=${pageSize}`);
    return items;
  }

  /** @throws {UserError} that names the clusters there are. */
  async clusterNamed(name: string): Promise<Cluster> {
    const clusters = await this.clusters();
    const found = clusters.find((cluster) => cluster.name === name || cluster.id === name);
    if (found === undefined) {
      const names = clusters.map((cluster) => cluster.name).join(", ");
      throw new UserError(
        `there is no cluster "${name}"; there ${names === "" ? "are none" : `is: ${names}`}`,
      );
    }
    return found;
  }
}
