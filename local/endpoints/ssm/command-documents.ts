import type { Collection, Documents } from "../../state/documents.ts";
import { isObject } from "../input.ts";
import { ServiceError } from "../service.ts";

/** A command document as it is checked once and run many times. */
export interface CommandDocument {
  readonly name: string;
  readonly parameters: Readonly<Record<string, DocumentParameter>>;
  /** Lines of the shell script. */
  readonly script: string;
  /** Seconds, or the name of the parameter that says how many. */
  readonly timeout: number | { readonly parameter: string };
}

interface DocumentParameter {
  readonly default: string | null;
  readonly allowedPattern: string | null;
  readonly allowedValues: readonly string[] | null;
}

const schemaVersion = "2.2";
/** AWS's own default for `timeoutSeconds` of aws:runShellScript. */
const timeoutSecondsDefault = 3600;
const interpolation = /\{\{\s*([A-Za-z0-9:_]+)\s*\}\}/;

/** SSM documents of the environment: schema 2.2, one `aws:runShellScript`, parameters as environment variables. */
export class CommandDocuments {
  readonly #documents: Collection<CommandDocument>;

  constructor(documents: Documents) {
    this.#documents = documents.collection("ssm-documents");
  }

  /** Creates the document or replaces the one of that name. @throws {ServiceError} InvalidDocumentContent */
  put(name: string, content: unknown): void {
    this.#documents.put(name, parseDocument(name, content));
  }

  delete(name: string): void {
    this.#documents.delete(name);
  }

  require(name: string): CommandDocument {
    const document = this.#documents.get(name);
    if (document === undefined)
      throw new ServiceError("InvalidDocument", `Document with name ${name} does not exist.`);
    return document;
  }

  list(): readonly CommandDocument[] {
    return this.#documents.list();
  }
}

/**
 * The environment that a command runs in, from what the sender gave and the document's defaults.
 * @throws {ServiceError} InvalidParameters for what AWS would refuse.
 */
export function bindParameters(
  document: CommandDocument,
  given: Readonly<Record<string, readonly string[]>>,
): Record<string, string> {
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(document.parameters, name)) {
      throw new ServiceError(
        "InvalidParameters",
        `${name} is not a parameter of the document ${document.name}.`,
      );
    }
  }
  const bound: Record<string, string> = {};
  for (const [name, parameter] of Object.entries(document.parameters)) {
    const values = given[name];
    if (values !== undefined && values.length !== 1) {
      throw new ServiceError("InvalidParameters", `The parameter ${name} takes one value.`);
    }
    const value = values?.[0] ?? parameter.default;
    if (value === null) throw new ServiceError("InvalidParameters", `The parameter ${name} is required.`);
    if (parameter.allowedValues !== null && !parameter.allowedValues.includes(value)) {
      throw new ServiceError(
        "InvalidParameters",
        `Parameter "${name}" with the given value is not one of [${parameter.allowedValues.join(", ")}].`,
      );
    }
    if (parameter.allowedPattern !== null && !new RegExp(`^(?:${parameter.allowedPattern})$`).test(value)) {
      throw new ServiceError(
        "InvalidParameters",
        `Parameter "${name}" with the given value does not match pattern "${parameter.allowedPattern}".`,
      );
    }
    bound[name] = value;
  }
  return bound;
}

export function timeoutSecondsOf(document: CommandDocument, bound: Readonly<Record<string, string>>): number {
  const seconds =
    typeof document.timeout === "number" ? document.timeout : Number(bound[document.timeout.parameter]);
  if (!Number.isInteger(seconds) || seconds <= 0) {
    throw new ServiceError("InvalidParameters", "The execution timeout is not a number of seconds.");
  }
  return seconds;
}

function parseDocument(name: string, content: unknown): CommandDocument {
  if (!isObject(content)) throw invalid("the content is not an object");
  if (content["schemaVersion"] !== schemaVersion)
    throw invalid(`only schema version ${schemaVersion} runs here`);
  const steps = content["mainSteps"];
  if (!Array.isArray(steps) || steps.length !== 1) throw invalid("one main step is expected");
  const step: unknown = steps[0];
  if (!isObject(step) || step["action"] !== "aws:runShellScript")
    throw invalid("only aws:runShellScript runs here");
  const inputs = step["inputs"];
  if (!isObject(inputs)) throw invalid("the step has no inputs");
  const parameters = parseParameters(content["parameters"]);
  const script = linesOf(inputs["runCommand"]);
  if (interpolation.test(script)) {
    throw invalid(
      "runCommand names a parameter in braces: parameters are environment variables (SSM_<Name>)",
    );
  }
  return { name, parameters, script, timeout: parseTimeout(inputs["timeoutSeconds"], parameters) };
}

function parseParameters(value: unknown): CommandDocument["parameters"] {
  if (value === undefined) return {};
  if (!isObject(value)) throw invalid("parameters is not an object");
  return Object.fromEntries(
    Object.entries(value).map(([name, parameter]) => {
      if (!isObject(parameter) || parameter["type"] !== "String")
        throw invalid(`${name} is not of type String`);
      if (parameter["interpolationType"] !== "ENV_VAR") {
        throw invalid(`${name} does not say interpolationType ENV_VAR: text is never pasted into a script`);
      }
      const pattern = parameter["allowedPattern"];
      const values = parameter["allowedValues"];
      const fallback = parameter["default"];
      return [
        name,
        {
          default: typeof fallback === "string" ? fallback : null,
          allowedPattern: typeof pattern === "string" ? checkedPattern(name, pattern) : null,
          allowedValues: Array.isArray(values) ? values.map(String) : null,
        },
      ];
    }),
  );
}

function checkedPattern(name: string, pattern: string): string {
  try {
    return new RegExp(pattern).source;
  } catch (error) {
    throw new Error(`the allowedPattern of ${name} is not a regular expression`, { cause: error });
  }
}

function linesOf(value: unknown): string {
  if (!Array.isArray(value) || value.length === 0) throw invalid("runCommand is not a list of lines");
  return value.map(String).join("\n");
}

function parseTimeout(value: unknown, parameters: CommandDocument["parameters"]): CommandDocument["timeout"] {
  if (value === undefined) return timeoutSecondsDefault;
  const reference = interpolation.exec(String(value))?.[1];
  if (reference !== undefined) {
    if (!Object.hasOwn(parameters, reference))
      throw invalid(`timeoutSeconds names ${reference}, which is no parameter`);
    return { parameter: reference };
  }
  const seconds = Number(value);
  if (!Number.isInteger(seconds) || seconds <= 0) throw invalid("timeoutSeconds is not a number of seconds");
  return seconds;
}

function invalid(reason: string): ServiceError {
  return new ServiceError("InvalidDocumentContent", `The content for the document is not valid: ${reason}.`);
}
