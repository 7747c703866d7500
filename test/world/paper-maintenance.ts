import {
  firstLogins,
  type Login,
  nextPasswordParameter,
  passwordParameter,
} from "../../layers/domain/index.ts";
import {
  type NodeCommands,
  type NodeVerb,
  nodeVerbs,
  type Observation,
} from "../../layers/domain/node/index.ts";
import { certificateRequest } from "./paper-certificates.ts";
import type { PaperPlace } from "./paper-place.ts";

/** Parameter Store as a node reads it. */
export type ReadSecret = (name: string) => Promise<string | null>;

interface Role {
  password: string | null;
  canLogIn: boolean;
}

/** What outlives machines: roles are in the data, and what a node was configured with is on its disk. */
export interface PaperDatabase {
  readonly roles: Map<string, Role>;
  /** Node → login → password, as its pooler knows them. */
  readonly poolers: Map<string, ReadonlyMap<string, string>>;
  readonly stopped: Set<string>;
  paused: boolean;
}

const startPasswords = ["admin", "client", "monitor", "replicator", "rewind"] as const;

/** A small model of what the verbs of maintenance promise; it refuses what the real ones could not do in order. */
export class PaperMaintenance {
  readonly databases = new Map<string, PaperDatabase>();
  readonly #readSecret: () => ReadSecret;

  constructor(readSecret: () => ReadSecret) {
    this.#readSecret = readSecret;
  }

  /** Undefined: not a verb of this family. */
  async do(verb: NodeVerb, raw: unknown, place: PaperPlace): Promise<unknown> {
    switch (verb) {
      case "observe":
        return this.#observe(nodeVerbs.observe.input.parse(raw), place);
      case "shut-down":
        return this.#shutDown(nodeVerbs["shut-down"].input.parse(raw), place);
      case "set-pause":
        return this.#setPause(nodeVerbs["set-pause"].input.parse(raw));
      case "switch-passwords":
        return this.#switchPasswords(nodeVerbs["switch-passwords"].input.parse(raw), place);
      case "follow-passwords":
        return this.#follow(nodeVerbs["follow-passwords"].input.parse(raw));
      case "change-logins":
        return this.#changeLogins(nodeVerbs["change-logins"].input.parse(raw), place);
      case "renew-key":
        return { certificateRequest: await certificateRequest() };
      default:
        throw new Error(`paper machines do not know ${verb} yet`);
    }
  }

  /** A machine that boots starts its services. */
  booted(clusterId: string, nodeId: string): void {
    this.databases.get(clusterId)?.stopped.delete(nodeId);
  }

  #observe(input: NodeCommands["observe"]["input"], place: PaperPlace): Observation {
    const leader = place.nodeIds.at(-1);
    const stopped = this.databases.get(input.clusterId)?.stopped ?? new Set();
    const members = place.nodeIds
      .filter((nodeId) => place.isUp(nodeId) && !stopped.has(nodeId))
      .map((nodeId) => ({
        nodeId,
        role: nodeId === leader ? ("leader" as const) : ("replica" as const),
        state: nodeId === leader ? "running" : "streaming",
        timeline: 1,
        lagBytes: null,
        pendingRestart: false,
      }));
    return { members, dcs: { quorum: true, members: [] } };
  }

  async #shutDown(
    input: NodeCommands["shut-down"]["input"],
    place: PaperPlace,
  ): Promise<NodeCommands["shut-down"]["output"]> {
    const database = await this.database(input.clusterId);
    if (!input.services.includes("postgres")) return { stopped: ["haproxy.service"], checkpoint: null };
    const others = place.nodeIds.filter((nodeId) => nodeId !== input.nodeId);
    const isLast = others.every((nodeId) => database.stopped.has(nodeId) || !place.isUp(nodeId));
    if (input.nodeId === place.nodeIds.at(-1)) must(isLast, "the leader is stopped before a replica");
    database.stopped.add(input.nodeId);
    return { stopped: ["patroni.service"], checkpoint: "0/5000028" };
  }

  async #setPause(input: NodeCommands["set-pause"]["input"]): Promise<NodeCommands["set-pause"]["output"]> {
    const database = await this.database(input.clusterId);
    const changed = database.paused !== input.paused;
    database.paused = input.paused;
    return { changed };
  }

  async #switchPasswords(
    input: NodeCommands["switch-passwords"]["input"],
    place: PaperPlace,
  ): Promise<NodeCommands["switch-passwords"]["output"]> {
    const database = await this.database(input.clusterId);
    const isLeader = input.nodeId === place.nodeIds.at(-1);
    for (const name of input.names) {
      const next = await this.#secret(nextPasswordParameter(input.environment, input.clusterId, name));
      if (isLeader && name !== "patroni") database.roles.set(name, { password: next, canLogIn: true });
      const users = new Map(database.poolers.get(input.nodeId));
      if (users.has(name)) users.set(name, next);
      database.poolers.set(input.nodeId, users);
    }
    return { isLeader, followedMs: 1 };
  }

  async #follow(
    input: NodeCommands["follow-passwords"]["input"],
  ): Promise<NodeCommands["follow-passwords"]["output"]> {
    const database = await this.database(input.clusterId);
    const users = input.logins.map(
      async (login): Promise<[string, string]> => [
        login,
        await this.#secret(passwordParameter(input.environment, input.clusterId, login)),
      ],
    );
    database.poolers.set(input.nodeId, new Map(await Promise.all(users)));
    return { changed: [] };
  }

  async #changeLogins(
    input: NodeCommands["change-logins"]["input"],
    place: PaperPlace,
  ): Promise<NodeCommands["change-logins"]["output"]> {
    must(input.nodeId === place.nodeIds.at(-1), `${input.nodeId} is not the leader`);
    const database = await this.database(input.clusterId);
    for (const login of input.enable) {
      const password = await this.#secret(passwordParameter(input.environment, input.clusterId, login));
      database.roles.set(login, { password, canLogIn: true });
    }
    for (const login of input.disable) database.roles.set(login, { password: null, canLogIn: false });
    return {};
  }

  async database(clusterId: string): Promise<PaperDatabase> {
    const known = this.databases.get(clusterId);
    if (known !== undefined) return known;
    const roles = new Map<string, Role>();
    for (const name of startPasswords) {
      const password = await this.#readSecret()(passwordParameter("test", clusterId, name));
      roles.set(name, { password, canLogIn: true });
    }
    const made: PaperDatabase = { roles, poolers: new Map(), stopped: new Set(), paused: false };
    this.databases.set(clusterId, made);
    return made;
  }

  async #secret(name: string): Promise<string> {
    const value = await this.#readSecret()(name);
    if (value === null) throw new Error(`there is no parameter ${name}`);
    return value;
  }
}

/** Who can log in where, as a client would find out; empty when everything is as Parameter Store says. */
export async function loginFaults(
  database: PaperDatabase,
  readSecret: ReadSecret,
  clusterId: string,
  logins: readonly Login[],
): Promise<string[]> {
  const faults: string[] = [];
  for (const login of logins) {
    const password = await readSecret(passwordParameter("test", clusterId, login));
    const role = database.roles.get(login);
    if (role?.canLogIn !== true || role.password !== password) faults.push(`PostgreSQL refuses ${login}`);
    for (const [nodeId, users] of database.poolers) {
      if (users.get(login) !== password) faults.push(`the pooler of ${nodeId} refuses ${login}`);
    }
  }
  const ended = Object.values(firstLogins).filter((login) => !logins.includes(login));
  for (const login of ended) {
    if (database.roles.get(login)?.canLogIn === true) faults.push(`PostgreSQL still takes ${login}`);
  }
  return faults;
}

function must(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
