import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { InstanceView } from "./ec2/service.ts";
import type { Credentials, SessionRequest } from "./identities.ts";

export interface MetadataOptions {
  readonly region: string;
  readonly account: string;
  /** The instance whose address a request comes from. */
  readonly machineAt: (address: string) => InstanceView | undefined;
  /** ARN of an instance profile → name of its role. */
  readonly roleOf: (instanceProfile: string) => string | null;
  readonly issue: (session: SessionRequest) => Credentials;
  readonly now?: () => Date;
}

/** As on EC2: six hours at most. */
const tokenSecondsMax = 21_600;
const credentialSeconds = 6 * 3600;
/** EC2 has new credentials ready this long before the old ones expire. */
const credentialRenewalMs = 15 * 60 * 1000;

interface Answer {
  readonly statusCode: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Instance metadata, version 2: a session token first, then answers about the machine that asks. Listens on the
 * environment's bridge; machines reach it at their link-local address.
 */
export class MetadataServer {
  readonly #options: MetadataOptions;
  readonly #now: () => Date;
  /** Tokens are good for one control plane's life; clients fetch another one when they are refused. */
  readonly #key = randomBytes(32);
  readonly #credentials = new Map<string, Credentials>();
  #server: Server | null = null;

  constructor(options: MetadataOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => new Date());
  }

  /** @returns the port, chosen by the system where `port` is 0. */
  async listen(address: { host: string; port: number }): Promise<number> {
    const server = createServer((request, response) => this.#handle(request, response));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(address.port, address.host, () => {
        server.off("error", reject);
        resolve();
      });
    });
    this.#server = server;
    return (server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    const { statusCode, body, headers } = this.#answer(request);
    response.writeHead(statusCode, { "content-type": "text/plain", server: "EC2ws", ...headers }).end(body);
  }

  #answer(request: IncomingMessage): Answer {
    const address = request.socket.remoteAddress?.replace(/^::ffff:/, "") ?? "";
    const machine = this.#options.machineAt(address);
    if (machine === undefined) return notFound;
    const path = new URL(request.url ?? "/", "http://metadata").pathname;
    if (request.method === "PUT") return this.#newToken(request, path, machine);
    if (request.method !== "GET") return { statusCode: 405, body: "" };
    if (!this.#isValid(headerOf(request, "x-aws-ec2-metadata-token"), machine)) {
      return { statusCode: 401, body: "" };
    }
    const found = this.#document(path, machine);
    return found === undefined ? notFound : { statusCode: 200, body: found };
  }

  #newToken(request: IncomingMessage, path: string, machine: InstanceView): Answer {
    if (path !== "/latest/api/token") return notFound;
    // A proxy in between may be one that an attacker talks through.
    if (request.headers["x-forwarded-for"] !== undefined) return { statusCode: 403, body: "" };
    const seconds = Number(headerOf(request, "x-aws-ec2-metadata-token-ttl-seconds") ?? Number.NaN);
    if (!Number.isInteger(seconds) || seconds < 1 || seconds > tokenSecondsMax) {
      return { statusCode: 400, body: "" };
    }
    const expiry = String(this.#now().getTime() + seconds * 1000);
    const token = `${Buffer.from(expiry).toString("base64url")}.${this.#mac(expiry, machine)}`;
    return {
      statusCode: 200,
      body: token,
      headers: { "x-aws-ec2-metadata-token-ttl-seconds": String(seconds) },
    };
  }

  /** A token is the instance's own: another machine's is worth nothing. */
  #isValid(token: string | undefined, machine: InstanceView): boolean {
    const [encoded = "", given = ""] = token?.split(".") ?? [];
    const expiry = Buffer.from(encoded, "base64url").toString("utf8");
    const expected = Buffer.from(this.#mac(expiry, machine));
    const actual = Buffer.from(given);
    const genuine = actual.length === expected.length && timingSafeEqual(actual, expected);
    return genuine && Number(expiry) > this.#now().getTime();
  }

  #mac(expiry: string, machine: InstanceView): string {
    return createHmac("sha256", this.#key).update(`${expiry}/${machine.instanceId}`).digest("base64url");
  }

  #document(path: string, machine: InstanceView): string | undefined {
    if (path === "/latest/dynamic/instance-identity/document") return this.#identityDocument(machine);
    const prefix = "/latest/meta-data/";
    if (!path.startsWith(prefix) && `${path}/` !== prefix) return undefined;
    const entries = this.#entries(machine);
    const name = path.slice(prefix.length).replace(/\/$/, "");
    const entry = entries.get(name);
    return entry === undefined ? listing([...entries.keys()], name) : entry();
  }

  #entries(machine: InstanceView): Map<string, () => string> {
    const { region } = this.#options;
    const dnsName = `${machine.hostname}.${region}.compute.internal`;
    const mac = `network/interfaces/macs/${machine.macAddress}`;
    const entries = new Map<string, () => string>([
      ["ami-id", () => machine.imageId],
      ["hostname", () => dnsName],
      ["instance-id", () => machine.instanceId],
      ["instance-type", () => machine.instanceType],
      ["local-hostname", () => dnsName],
      ["local-ipv4", () => machine.address],
      ["mac", () => machine.macAddress],
      [`${mac}/local-ipv4s`, () => machine.address],
      [`${mac}/mac`, () => machine.macAddress],
      ["placement/availability-zone", () => machine.zone],
      ["placement/region", () => region],
    ]);
    const profile = machine.instanceProfileArn;
    const role = profile === null ? null : this.#options.roleOf(profile);
    if (role !== null) {
      entries.set(`iam/security-credentials/${role}`, () => this.#credentialDocument(machine, role));
      entries.set("iam/info", () =>
        JSON.stringify({
          Code: "Success",
          LastUpdated: seconds(this.#now()),
          InstanceProfileArn: profile,
        }),
      );
    }
    return entries;
  }

  #credentialDocument(machine: InstanceView, roleName: string): string {
    const { accessKeyId, secretAccessKey, sessionToken, expiresAt } = this.#credentialsOf(machine, roleName);
    return JSON.stringify(
      {
        Code: "Success",
        LastUpdated: seconds(this.#now()),
        Type: "AWS-HMAC",
        AccessKeyId: accessKeyId,
        SecretAccessKey: secretAccessKey,
        Token: sessionToken,
        Expiration: expiresAt === null ? undefined : seconds(expiresAt),
      },
      null,
      2,
    );
  }

  #credentialsOf(machine: InstanceView, roleName: string): Credentials {
    const key = `${machine.instanceId}/${roleName}`;
    const present = this.#credentials.get(key);
    const renewal = this.#now().getTime() + credentialRenewalMs;
    if (present?.expiresAt != null && present.expiresAt.getTime() > renewal) return present;
    const issued = this.#options.issue({
      roleName,
      sessionName: machine.instanceId,
      lifetimeSeconds: credentialSeconds,
    });
    this.#credentials.set(key, issued);
    return issued;
  }

  #identityDocument(machine: InstanceView): string {
    return JSON.stringify(
      {
        accountId: this.#options.account,
        architecture: "x86_64",
        availabilityZone: machine.zone,
        imageId: machine.imageId,
        instanceId: machine.instanceId,
        instanceType: machine.instanceType,
        pendingTime: seconds(new Date(machine.launchedAt)),
        privateIp: machine.address,
        region: this.#options.region,
        version: "2017-09-30",
      },
      null,
      2,
    );
  }
}

const notFound: Answer = { statusCode: 404, body: "" };

/** The names one level below a folder, folders with a slash; undefined where there is no such folder. */
function listing(names: readonly string[], folder: string): string | undefined {
  const prefix = folder === "" ? "" : `${folder}/`;
  const below = names
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length).replace(/\/.*$/, "/"));
  return below.length === 0 ? undefined : [...new Set(below)].sort().join("\n");
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** EC2 writes times without fractions of a second. */
function seconds(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}
