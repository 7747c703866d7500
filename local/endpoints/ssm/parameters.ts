import type { Collection, Documents } from "../../state/documents.ts";
import { objectList, optionalFlag, optionalText, page, requiredText, textList } from "../input.ts";
import { type Caller, ServiceError } from "../service.ts";
import type { Vault } from "./vault.ts";

type Input = Readonly<Record<string, unknown>>;
type Output = Record<string, unknown>;

interface StoredParameter {
  readonly name: string;
  readonly type: "String" | "StringList" | "SecureString";
  /** Sealed where the type is SecureString. */
  readonly value: string;
  readonly keyId: string | null;
  readonly tier: "Standard" | "Advanced";
  readonly version: number;
  /** Epoch milliseconds. */
  readonly modifiedAt: number;
  readonly modifiedBy: string;
  readonly description: string | null;
  readonly tags: readonly { Key: string; Value: string }[];
}

const types: readonly string[] = ["String", "StringList", "SecureString"];
/** AWS's limits per tier, in bytes. */
const valueBytesMax = { Standard: 4096, Advanced: 8192 } as const;
const nameCharactersMax = 1011;
const hierarchyLevelsMax = 15;
const getParametersMax = 10;
const defaultKey = "alias/aws/ssm";

const storedParameters = (documents: Documents): Collection<StoredParameter> =>
  documents.collection("ssm-parameters");

/** The key that a parameter is encrypted with; null for one that is not, or is not there. */
export function keyOfParameter(documents: Documents, nameOrArn: string): string | null {
  const name = nameOrArn.replace(/^arn:[^/]*/, "");
  return storedParameters(documents).get(name)?.keyId ?? null;
}

export class ParameterStore {
  readonly #parameters: Collection<StoredParameter>;
  readonly #vault: Vault;
  readonly #arnPrefix: string;

  constructor(options: { documents: Documents; vault: Vault; region: string; account: string }) {
    this.#parameters = storedParameters(options.documents);
    this.#vault = options.vault;
    this.#arnPrefix = `arn:aws:ssm:${options.region}:${options.account}:parameter`;
  }

  readonly actions: Readonly<Record<string, (input: Input, caller: Caller) => Output>> = {
    PutParameter: (input, caller) => this.#put(input, caller),
    GetParameter: (input) => ({ Parameter: this.#get(requiredText(input, "Name"), input) }),
    GetParameters: (input) => this.#getMany(input),
    GetParametersByPath: (input) => this.#getByPath(input),
    DeleteParameter: (input) => this.#delete(requiredText(input, "Name")),
    DeleteParameters: (input) => this.#deleteMany(input),
    DescribeParameters: (input) => this.#describe(input),
    AddTagsToResource: (input) => this.#addTags(input),
    ListTagsForResource: (input) => ({ TagList: this.#require(requiredText(input, "ResourceId")).tags }),
  };

  #put(input: Input, caller: Caller): Output {
    const name = requiredText(input, "Name");
    checkName(name);
    const existing = this.#parameters.get(name);
    const overwrite = optionalFlag(input, "Overwrite");
    if (existing !== undefined && !overwrite) {
      throw new ServiceError(
        "ParameterAlreadyExists",
        "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
      );
    }
    const tags = tagsOf(input);
    if (overwrite && tags.length > 0) {
      throw new ServiceError(
        "ValidationException",
        "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag.",
      );
    }
    const type = typeOf(optionalText(input, "Type") ?? existing?.type ?? null);
    const tier = tierOf(optionalText(input, "Tier") ?? existing?.tier ?? "Standard");
    const value = requiredText(input, "Value");
    if (Buffer.byteLength(value) > valueBytesMax[tier]) {
      throw new ServiceError(
        "ValidationException",
        `${tier} tier parameters support a maximum parameter value of ${valueBytesMax[tier]} characters.`,
      );
    }
    const version = (existing?.version ?? 0) + 1;
    this.#parameters.put(name, {
      name,
      type,
      value: type === "SecureString" ? this.#vault.seal(name, value) : value,
      keyId: type === "SecureString" ? (optionalText(input, "KeyId") ?? existing?.keyId ?? defaultKey) : null,
      tier,
      version,
      modifiedAt: Date.now(),
      modifiedBy: caller.arn,
      description: optionalText(input, "Description") ?? existing?.description ?? null,
      tags: existing?.tags ?? tags,
    });
    return { Version: version, Tier: tier };
  }

  #get(name: string, input: Input): Output {
    return this.#answer(this.#require(name), optionalFlag(input, "WithDecryption"));
  }

  #getMany(input: Input): Output {
    const names = textList(input, "Names");
    if (names.length === 0 || names.length > getParametersMax) {
      throw new ServiceError(
        "ValidationException",
        `Value at 'names' failed to satisfy constraint: Member must have length between 1 and ${getParametersMax}`,
      );
    }
    const decrypt = optionalFlag(input, "WithDecryption");
    const found = names.flatMap((name) => this.#parameters.get(this.#nameOf(name)) ?? []);
    const foundNames = new Set(found.map((parameter) => parameter.name));
    return {
      Parameters: found.map((parameter) => this.#answer(parameter, decrypt)),
      InvalidParameters: names.filter((name) => !foundNames.has(this.#nameOf(name))),
    };
  }

  #getByPath(input: Input): Output {
    const path = requiredText(input, "Path");
    if (!path.startsWith("/")) {
      throw new ServiceError(
        "ValidationException",
        "The parameter path must begin with a forward slash '/'.",
      );
    }
    const prefix = path.endsWith("/") ? path : `${path}/`;
    const recursive = optionalFlag(input, "Recursive");
    const decrypt = optionalFlag(input, "WithDecryption");
    const below = this.#parameters
      .list()
      .filter(
        ({ name }) => name.startsWith(prefix) && (recursive || !name.slice(prefix.length).includes("/")),
      );
    const { items, next } = page(below, input, { default: 10, max: 10 });
    return { Parameters: items.map((parameter) => this.#answer(parameter, decrypt)), ...next };
  }

  #delete(name: string): Output {
    this.#parameters.delete(this.#require(name).name);
    return {};
  }

  #deleteMany(input: Input): Output {
    const names = textList(input, "Names");
    if (names.length === 0 || names.length > getParametersMax) {
      throw new ServiceError(
        "ValidationException",
        `Value at 'names' failed to satisfy constraint: Member must have length between 1 and ${getParametersMax}`,
      );
    }
    const known = names.filter((name) => this.#parameters.get(name) !== undefined);
    for (const name of known) this.#parameters.delete(name);
    return { DeletedParameters: known, InvalidParameters: names.filter((name) => !known.includes(name)) };
  }

  #describe(input: Input): Output {
    const filters = objectList(input, "ParameterFilters");
    const matching = this.#parameters
      .list()
      .filter((parameter) => filters.every((filter) => matchesFilter(parameter, filter)));
    const { items, next } = page(matching, input, { default: 50, max: 50 });
    return {
      Parameters: items.map((parameter) => ({
        Name: parameter.name,
        ARN: this.#arnOf(parameter.name),
        Type: parameter.type,
        ...(parameter.keyId === null ? {} : { KeyId: parameter.keyId }),
        LastModifiedDate: parameter.modifiedAt / 1000,
        LastModifiedUser: parameter.modifiedBy,
        ...(parameter.description === null ? {} : { Description: parameter.description }),
        Version: parameter.version,
        Tier: parameter.tier,
        Policies: [],
        DataType: "text",
      })),
      ...next,
    };
  }

  #addTags(input: Input): Output {
    if (requiredText(input, "ResourceType") !== "Parameter") {
      throw new ServiceError("InvalidResourceType", "Only parameters can be tagged here.");
    }
    const parameter = this.#require(requiredText(input, "ResourceId"));
    const added = tagsOf(input);
    const kept = parameter.tags.filter((tag) => !added.some((other) => other.Key === tag.Key));
    this.#parameters.put(parameter.name, { ...parameter, tags: [...kept, ...added] });
    return {};
  }

  #require(nameOrArn: string): StoredParameter {
    const parameter = this.#parameters.get(this.#nameOf(nameOrArn));
    if (parameter === undefined)
      throw new ServiceError("ParameterNotFound", `Parameter ${nameOrArn} not found.`);
    return parameter;
  }

  #nameOf(nameOrArn: string): string {
    return nameOrArn.startsWith(`${this.#arnPrefix}/`) ? nameOrArn.slice(this.#arnPrefix.length) : nameOrArn;
  }

  #arnOf(name: string): string {
    return `${this.#arnPrefix}${name.startsWith("/") ? "" : "/"}${name}`;
  }

  #answer(parameter: StoredParameter, decrypt: boolean): Output {
    const open = parameter.type === "SecureString" && decrypt;
    return {
      Name: parameter.name,
      Type: parameter.type,
      Value: open ? this.#vault.open(parameter.name, parameter.value) : parameter.value,
      Version: parameter.version,
      LastModifiedDate: parameter.modifiedAt / 1000,
      ARN: this.#arnOf(parameter.name),
      DataType: "text",
    };
  }
}

function checkName(name: string): void {
  if (!/^[a-zA-Z0-9_.\-/]+$/.test(name) || name.length > nameCharactersMax || name.endsWith("/")) {
    throw new ServiceError(
      "ValidationException",
      'Parameter name must only contain letters, digits, ".", "-", "_" and "/" and must not end with "/".',
    );
  }
  if (/^\/?(aws|ssm)/i.test(name)) {
    throw new ServiceError("ValidationException", 'Parameter name: can\'t be prefixed with "aws" or "ssm".');
  }
  if (name.includes("/") && !name.startsWith("/")) {
    throw new ServiceError(
      "ValidationException",
      "Parameter name must be a fully qualified name: a hierarchy begins with a forward slash.",
    );
  }
  if (name.split("/").length - 1 > hierarchyLevelsMax) {
    throw new ServiceError(
      "HierarchyLevelLimitExceededException",
      `A hierarchy can have a maximum of ${hierarchyLevelsMax} levels.`,
    );
  }
}

function typeOf(type: string | null): StoredParameter["type"] {
  if (type === null) {
    throw new ServiceError(
      "ValidationException",
      "A parameter type is required when you create a parameter.",
    );
  }
  if (!types.includes(type)) {
    throw new ServiceError("UnsupportedParameterType", `The parameter type ${type} is not supported.`);
  }
  return type as StoredParameter["type"];
}

function tierOf(tier: string): StoredParameter["tier"] {
  if (tier === "Standard" || tier === "Advanced") return tier;
  throw new ServiceError("ValidationException", `The tier ${tier} is not supported here.`);
}

function tagsOf(input: Input): { Key: string; Value: string }[] {
  return objectList(input, "Tags").map((tag) => ({
    Key: requiredText(tag, "Key"),
    Value: optionalText(tag, "Value") ?? "",
  }));
}

function matchesFilter(parameter: StoredParameter, filter: Input): boolean {
  const key = requiredText(filter, "Key");
  const option = optionalText(filter, "Option") ?? "Equals";
  const values = textList(filter, "Values");
  const matches = (text: string) =>
    values.some((value) =>
      option === "BeginsWith"
        ? text.startsWith(value)
        : option === "Contains"
          ? text.includes(value)
          : text === value,
    );
  if (key === "Name") return matches(parameter.name);
  if (key === "Type") return matches(parameter.type);
  if (key === "KeyId") return matches(parameter.keyId ?? "");
  if (key === "Path") {
    return values.some((value) => parameter.name.startsWith(value.endsWith("/") ? value : `${value}/`));
  }
  if (key.startsWith("tag:")) {
    return parameter.tags.some(
      (tag) => tag.Key === key.slice("tag:".length) && (values.length === 0 || matches(tag.Value)),
    );
  }
  throw new ServiceError("InvalidFilterKey", `The filter key ${key} is not supported here.`);
}
