/** What a deployed resource answers to `Ref` and `Fn::GetAtt`. */
export interface Deployed {
  readonly ref: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface Scope {
  readonly account: string;
  readonly region: string;
  readonly stackName: string;
  readonly zones: readonly string[];
  readonly resources: ReadonlyMap<string, Deployed>;
  /** Export name → value, of the stacks deployed before. */
  readonly exports: ReadonlyMap<string, string>;
}

/** The intrinsic functions that templates of ours may use. Another one fails with its name. */
const functions: Readonly<Record<string, (argument: unknown, scope: Scope) => unknown>> = {
  Ref: (argument, scope) => reference(String(argument), scope),
  "Fn::GetAtt": (argument, scope) => attribute(argument, scope),
  "Fn::ImportValue": (argument, scope) => importValue(text(argument, scope), scope),
  "Fn::Join": (argument, scope) => {
    const [separator, parts] = list(argument);
    return list(resolve(parts, scope)).map(String).join(String(separator));
  },
  "Fn::Sub": (argument, scope) => substitute(argument, scope),
  "Fn::Select": (argument, scope) => {
    const [index, values] = list(argument);
    const chosen = list(resolve(values, scope))[Number(resolve(index, scope))];
    if (chosen === undefined)
      throw new Error(`the template selects what is not in the list: ${JSON.stringify(argument)}`);
    return chosen;
  },
  "Fn::Split": (argument, scope) => {
    const [separator, value] = list(argument);
    return text(value, scope).split(String(separator));
  },
  "Fn::GetAZs": (_argument, scope) => [...scope.zones],
};

/** The value with every intrinsic function carried out. @throws for a function or a name that is not known. */
export function resolve(value: unknown, scope: Scope): unknown {
  if (Array.isArray(value)) return value.map((item) => resolve(item, scope));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  const [only] = entries;
  if (entries.length === 1 && only !== undefined) {
    const [name, argument] = only;
    const known = functions[name];
    if (known !== undefined) return known(argument, scope);
    if (name.startsWith("Fn::"))
      throw new Error(`the template uses ${name}, which local/deploy/intrinsics.ts does not know`);
  }
  return Object.fromEntries(entries.map(([key, inner]) => [key, resolve(inner, scope)]));
}

function reference(name: string, scope: Scope): string {
  const pseudo = pseudoParameters(scope)[name];
  if (pseudo !== undefined) return pseudo;
  const deployed = scope.resources.get(name);
  if (deployed === undefined) throw new Error(`the template refers to ${name}, which is not deployed`);
  return deployed.ref;
}

function pseudoParameters(scope: Scope): Readonly<Record<string, string>> {
  return {
    "AWS::AccountId": scope.account,
    "AWS::Region": scope.region,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": scope.stackName,
    "AWS::StackId": `arn:aws:cloudformation:${scope.region}:${scope.account}:stack/${scope.stackName}/local`,
  };
}

function attribute(argument: unknown, scope: Scope): string {
  const [logicalId, name] = Array.isArray(argument)
    ? [String(argument[0]), String(argument[1])]
    : [String(argument).split(".")[0] ?? "", String(argument).split(".").slice(1).join(".")];
  const value = scope.resources.get(logicalId)?.attributes[name];
  if (value === undefined)
    throw new Error(`the template asks for ${logicalId}.${name}, which is not known here`);
  return value;
}

function importValue(name: string, scope: Scope): string {
  const value = scope.exports.get(name);
  if (value === undefined) throw new Error(`no stack deployed before exports ${name}`);
  return value;
}

function substitute(argument: unknown, scope: Scope): string {
  const [template, variables] = Array.isArray(argument) ? argument : [argument, {}];
  const own = resolve(variables, scope) as Readonly<Record<string, unknown>>;
  return String(template).replace(/\$\{([^}]+)\}/g, (_, name: string) => {
    if (name.startsWith("!")) return `\${${name.slice(1)}}`;
    if (own[name] !== undefined) return String(own[name]);
    return name.includes(".") && !name.startsWith("AWS::") ? attribute(name, scope) : reference(name, scope);
  });
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value))
    throw new Error(`expected a list in the template, found ${JSON.stringify(value)}`);
  return value;
}

function text(value: unknown, scope: Scope): string {
  return String(resolve(value, scope));
}
