import { isDeepStrictEqual } from "node:util";
import { ServiceError } from "../endpoints/service.ts";
import type { Collection, Documents } from "../state/documents.ts";

/** A function as the template describes it. */
export interface FunctionConfiguration {
  readonly functionName: string;
  /** `index.handler`: module and export. */
  readonly handler: string;
  /** The built asset; named by its content, so that a version keeps its code. */
  readonly codeDirectory: string;
  /** Layer assets, each with `nodejs/node_modules` below it. */
  readonly layerDirectories: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly roleName: string;
  readonly timeoutSeconds: number;
  readonly memoryMiB: number;
  readonly durable: {
    readonly executionTimeoutSeconds: number;
    readonly retentionDays: number;
  } | null;
  /** Invocations at the same time; the rest waits. */
  readonly concurrency: number;
  /** Processes that are started at once and stay. */
  readonly warm: number;
}

interface StoredFunction {
  readonly latest: FunctionConfiguration;
  readonly versions: Readonly<Record<string, FunctionConfiguration>>;
  readonly aliases: Readonly<Record<string, string>>;
  /** Of versions that were deleted, too: no number is used twice. */
  readonly publishedAt?: Readonly<Record<string, string>>;
}

/** What a name, version or alias stands for. */
export interface ResolvedFunction {
  readonly configuration: FunctionConfiguration;
  /** `$LATEST` or a number. */
  readonly version: string;
  /** Asked for by version or alias. */
  readonly qualified: boolean;
}

/** The environment's functions with their versions and aliases. */
export class FunctionRegistry {
  readonly #functions: Collection<StoredFunction>;

  constructor(documents: Documents) {
    this.#functions = documents.collection("lambda-functions");
  }

  /** Creates or updates `$LATEST`; versions and aliases stay. */
  put(configuration: FunctionConfiguration): void {
    const { functionName } = configuration;
    const existing = this.#functions.get(functionName);
    this.#functions.put(functionName, {
      latest: configuration,
      versions: existing?.versions ?? {},
      aliases: existing?.aliases ?? {},
      publishedAt: existing?.publishedAt ?? {},
    });
  }

  /** A new version, or the newest one when nothing has changed since. */
  publish(functionName: string): string {
    const stored = this.#require(functionName);
    const newest = Math.max(0, ...Object.keys({ ...stored.publishedAt, ...stored.versions }).map(Number));
    if (newest > 0 && isDeepStrictEqual(stored.versions[newest], stored.latest)) return String(newest);
    const version = String(newest + 1);
    this.#functions.put(functionName, {
      ...stored,
      versions: { ...stored.versions, [version]: stored.latest },
      publishedAt: { ...stored.publishedAt, [version]: new Date().toISOString() },
    });
    return version;
  }

  putAlias(functionName: string, alias: string, version: string): void {
    const stored = this.#require(functionName);
    if (version !== "$LATEST" && stored.versions[version] === undefined) {
      throw notFound(`${functionName}:${version}`);
    }
    this.#functions.put(functionName, { ...stored, aliases: { ...stored.aliases, [alias]: version } });
  }

  /**
   * The directories that nothing else is made of; none where the version is gone already.
   * @throws {ServiceError} where Lambda keeps it
   */
  ownCodeOf(functionName: string, version: string): readonly string[] {
    const { aliases, versions } = this.#require(functionName);
    checkRemovable(version, aliases);
    const removed = versions[version];
    if (removed === undefined) return [];
    const isOther = (name: string, number: string) => name !== functionName || number !== version;
    const others = this.#functions.list().flatMap((stored) => {
      const { functionName: name } = stored.latest;
      const published = Object.entries(stored.versions).filter(([number]) => isOther(name, number));
      return [stored.latest, ...published.map(([, configuration]) => configuration)];
    });
    const used = new Set(others.flatMap(directoriesOf));
    return directoriesOf(removed).filter((directory) => !used.has(directory));
  }

  deleteVersion(functionName: string, version: string): void {
    const stored = this.#require(functionName);
    const { [version]: _removed, ...versions } = stored.versions;
    this.#functions.put(functionName, { ...stored, versions });
  }

  delete(functionName: string): void {
    this.#functions.delete(functionName);
  }

  list(): readonly FunctionConfiguration[] {
    return this.#functions.list().map((stored) => stored.latest);
  }

  versionsOf(functionName: string): readonly string[] {
    return Object.keys(this.#require(functionName).versions);
  }

  /** Null of those that were published before anybody noted it. */
  publishedAt(functionName: string, version: string): string | null {
    return this.#require(functionName).publishedAt?.[version] ?? null;
  }

  aliasesOf(functionName: string): Readonly<Record<string, string>> {
    return this.#require(functionName).aliases;
  }

  /**
   * @param reference name, `name:qualifier`, or an ARN with or without qualifier
   * @throws {ServiceError} ResourceNotFoundException
   */
  resolve(reference: string, qualifier: string | null): ResolvedFunction {
    const match =
      /^(?:(?:arn:[^:]+:lambda:[^:]*:)?\d{12}:function:)?([A-Za-z0-9_-]+)(?::([A-Za-z0-9_$-]+))?$/.exec(
        reference,
      );
    const functionName = match?.[1] ?? "";
    const asked = qualifier ?? match?.[2] ?? null;
    const stored = this.#functions.get(functionName);
    if (stored === undefined) throw notFound(reference);
    const version = asked === null ? "$LATEST" : (stored.aliases[asked] ?? asked);
    const configuration = version === "$LATEST" ? stored.latest : stored.versions[version];
    if (configuration === undefined) throw notFound(`${functionName}:${asked}`);
    return { configuration, version, qualified: asked !== null };
  }

  #require(functionName: string): StoredFunction {
    const stored = this.#functions.get(functionName);
    if (stored === undefined) throw notFound(functionName);
    return stored;
  }
}

const directoriesOf = ({ codeDirectory, layerDirectories }: FunctionConfiguration): string[] => [
  codeDirectory,
  ...layerDirectories,
];

/** @throws {ServiceError} as Lambda refuses to delete a version. */
function checkRemovable(version: string, aliases: Readonly<Record<string, string>>): void {
  if (version === "$LATEST") {
    throw new ServiceError(
      "InvalidParameterValueException",
      "$LATEST version cannot be deleted without deleting the function.",
    );
  }
  if (!/^\d+$/.test(version)) {
    throw new ServiceError(
      "InvalidParameterValueException",
      "Deletion of aliases is not currently supported.",
    );
  }
  const leading = Object.keys(aliases).filter((alias) => aliases[alias] === version);
  if (leading.length > 0) {
    throw new ServiceError(
      "ResourceConflictException",
      `Unable to delete version because the following aliases reference it: [${leading.join(", ")}]`,
      409,
    );
  }
}

function notFound(reference: string): ServiceError {
  return new ServiceError("ResourceNotFoundException", `Function not found: ${reference}`, 404);
}
