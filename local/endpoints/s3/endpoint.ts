import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { Identities } from "../identities.ts";
import { type Caller, ServiceError } from "../service.ts";
import { parseAuthorization, verifySignature } from "../signature.ts";
import type { ObjectCertificate } from "./certificate.ts";
import type { S3Front } from "./front.ts";

/** Longer than any client keeps an idle connection, so that the client is the one who closes it. */
const keepAliveMs = 120_000;

/** S3 over TLS, under its own name: what machines speak to. */
export class ObjectEndpoint {
  readonly #server: Server;
  readonly #identities: Identities;

  constructor(options: {
    front: S3Front;
    identities: Identities;
    certificate: Pick<ObjectCertificate, "key" | "certificate">;
    onError: (error: unknown) => void;
  }) {
    const { front, certificate } = options;
    this.#identities = options.identities;
    const handle = (request: IncomingMessage, response: ServerResponse) => {
      const authorize = (payloadHash: string) => this.#authorize(request, payloadHash);
      front.handle(request, response, authorize, randomUUID()).catch((error: unknown) => {
        options.onError(error);
        response.destroy();
      });
    };
    this.#server = createServer(
      { key: certificate.key, cert: certificate.certificate, minVersion: "TLSv1.2" },
      handle,
    );
    this.#server.keepAliveTimeout = keepAliveMs;
    this.#server.requestTimeout = 0;
  }

  /** @returns the port, chosen by the system where none is named. */
  async listen(host: string, port = 0): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  #authorize(request: IncomingMessage, payloadHash: string): Caller {
    const signed = { method: request.method ?? "GET", url: request.url ?? "/", headers: request.headers };
    const authorization = parseAuthorization(signed);
    if (authorization === null) throw new ServiceError("AccessDenied", "Access Denied", 403);
    if (authorization.service !== "s3") {
      throw new ServiceError(
        "AuthorizationHeaderMalformed",
        `The authorization header is for the service ${authorization.service}; this is s3.`,
      );
    }
    return verifySignature(signed, authorization, payloadHash, this.#identities);
  }
}
