import { Faults } from "../../../../local/endpoints/faults.ts";
import { Identities } from "../../../../local/endpoints/identities.ts";
import { Recorder } from "../../../../local/endpoints/recorder.ts";
import { EndpointServer, type ObjectFront } from "../../../../local/endpoints/server.ts";
import type { Service } from "../../../../local/endpoints/service.ts";
import { StsService } from "../../../../local/endpoints/sts.ts";
import type { Refusal } from "../../../../local/permissions/refuse.ts";
import type { CallListener } from "../../../../local/permissions/watch.ts";

export const account = "000000000000";
export const region = "local-1";

/** A real endpoint server on a free port, and what an AWS client needs to speak to it. */
export async function startEndpoints(
  services: readonly Service[],
  objects?: ObjectFront,
  onCall?: CallListener,
  refusal?: Refusal,
) {
  const identities = new Identities({ key: Buffer.alloc(32, 7), account });
  const recorder = new Recorder();
  const faults = new Faults();
  const errors: unknown[] = [];
  const server = new EndpointServer({
    services: [...services, new StsService({ account })],
    identities,
    recorder,
    faults,
    ...(objects === undefined ? {} : { objects }),
    ...(onCall === undefined ? {} : { onCall }),
    ...(refusal === undefined ? {} : { refusal }),
    onError: (error) => errors.push(error),
  });
  const port = await server.listen({ host: "127.0.0.1", port: 0 });
  const endpoint = `http://127.0.0.1:${port}`;
  const configOf = (credentials: ReturnType<Identities["operator"]>) => ({
    endpoint,
    region,
    credentials: {
      accessKeyId: credentials.accessKeyId,
      secretAccessKey: credentials.secretAccessKey,
      ...(credentials.sessionToken === null ? {} : { sessionToken: credentials.sessionToken }),
    },
  });
  return {
    server,
    identities,
    recorder,
    faults,
    errors,
    endpoint,
    /** Configuration of an AWS client that signs as the operator. */
    operator: configOf(identities.operator()),
    as: (roleName: string, lifetimeSeconds = 3600) =>
      configOf(identities.issue({ roleName, sessionName: "session", lifetimeSeconds })),
    close: () => server.close(),
  };
}
