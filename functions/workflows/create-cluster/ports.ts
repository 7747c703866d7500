import { S3Repositories } from "@pgherd/layers/aws/repositories";
import type { Repositories } from "@pgherd/layers/ports";
import { type ClusterPorts, openPorts } from "../ports.ts";

/** Who makes a cluster also takes back what it has archived by the time that the making fails. */
export interface MakingPorts extends ClusterPorts {
  readonly repositories: Pick<Repositories, "removeAll">;
}

export function openMakingPorts(): MakingPorts {
  const ports = openPorts();
  return { ...ports, repositories: new S3Repositories(ports.settings, ports.secrets) };
}
