/** One route of an HTTP API, as `AWS::ApiGatewayV2::Route` names it. */
export interface Route {
  /** `GET /v1/clusters/{clusterId}`, `ANY /v1/{proxy+}` or `$default`. */
  readonly routeKey: string;
  /** The function that answers: name, `name:qualifier` or ARN. */
  readonly integration: string;
  readonly authorization: "jwt" | "none";
}

export interface RouteMatch {
  readonly route: Route;
  readonly pathParameters: Readonly<Record<string, string>>;
}

interface CompiledRoute {
  readonly route: Route;
  readonly method: string;
  readonly pattern: RegExp;
  readonly names: readonly string[];
  /** The higher one wins: a full path before parameters before a greedy parameter, a method before ANY. */
  readonly rank: number;
}

/** Finds the route of a request with API Gateway's precedence. */
export class RouteTable {
  readonly #routes: readonly CompiledRoute[];
  readonly #default: Route | null;

  constructor(routes: readonly Route[]) {
    this.#default = routes.find((route) => route.routeKey === "$default") ?? null;
    this.#routes = routes
      .filter((route) => route.routeKey !== "$default")
      .map(compile)
      .sort((a, b) => b.rank - a.rank);
  }

  match(method: string, path: string): RouteMatch | null {
    for (const candidate of this.#routes) {
      if (candidate.method !== "ANY" && candidate.method !== method) continue;
      const match = candidate.pattern.exec(path);
      if (match === null) continue;
      const values = match.slice(1).map((value) => decode(value));
      return {
        route: candidate.route,
        pathParameters: Object.fromEntries(candidate.names.map((name, index) => [name, values[index] ?? ""])),
      };
    }
    return this.#default === null ? null : { route: this.#default, pathParameters: {} };
  }
}

const variableCost = 10;
const greedyCost = 1_000;

function compile(route: Route): CompiledRoute {
  const [method = "", path = ""] = route.routeKey.split(" ");
  const names: string[] = [];
  let rank = method === "ANY" ? 0 : 1;
  const pattern = path.replace(
    /\{([A-Za-z0-9_]+)(\+?)\}|[.*+?^$()|[\]\\]/g,
    (text, name: string, greedy: string) => {
      if (name === undefined) return `\\${text}`;
      names.push(name);
      rank -= greedy === "+" ? greedyCost : variableCost;
      return greedy === "+" ? "(.+)" : "([^/]+)";
    },
  );
  return { route, method, names, rank, pattern: new RegExp(`^${pattern}/?$`) };
}

function decode(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    // Not an escape: the text stands for itself.
    return value;
  }
}
