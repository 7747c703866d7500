import {
  eachNode,
  type Step,
  step,
  together,
  type Undo,
  type Workflow,
} from "@pgherd/layers/runtime/workflow";
import { ensureIdentity } from "../identity.ts";
import type { ClusterPorts } from "../ports.ts";
import * as remove from "../removals.ts";
import type { CreateDeadlines } from "./deadlines.ts";
import * as machines from "./machines.ts";
import type { MakingPorts } from "./ports.ts";
import { readCluster } from "./records.ts";
import * as software from "./software.ts";
import * as trust from "./trust.ts";

/** What was archived within the minutes of a create is removed within seconds. */
const removalMs = 60_000;

/**
 * The cluster's own part of the bucket, which nobody can read without its pass: no machine writes there any more, as
 * they are removed before. The pass goes last: whatever ends this early is begun again.
 */
const repository: Undo<MakingPorts> = async (scope) => {
  const { clusterId, ports } = scope;
  const { spec } = await readCluster(scope);
  const { store } = spec.backup;
  const { isDone } = await ports.repositories.removeAll({ clusterId, store }, removalMs);
  const bucket = store?.bucket ?? ports.settings.backups.bucket;
  if (!isDone) throw new Error(`objects of ${clusterId} are left in bucket ${bucket}`);
  await remove.cipherPass(scope, []);
};

/** Made with the cluster, and gone with it and all that it encrypts. */
export const newCipherPass = step<MakingPorts>("cipher-pass", trust.cipherPass, repository);
/** Opens what there is: without it that would be lost for good. */
export const keptCipherPass = step("cipher-pass", trust.keptCipherPass);

/** Everything up to nodes that are configured, with what removes it again. */
export function configuredNodes<Ports extends ClusterPorts>(
  deadlines: CreateDeadlines,
  cipherPass: Step<Ports>,
): Workflow<Ports>["chapters"] {
  return [
    step("claim", machines.checkClaim, remove.claim),
    together<Ports>(
      step("security-group", machines.securityGroup, remove.securityGroup),
      step("identity", ensureIdentity, remove.identity),
      eachNode("volumes", machines.volume, remove.volume),
      step("passwords", trust.passwords, remove.passwords),
      cipherPass,
      step("authority", trust.authority, remove.authority),
    ),
    eachNode("network-interfaces", machines.networkInterface, remove.networkInterface),
    eachNode("instances", (scope, node) => machines.instance(scope, node, deadlines), remove.instance),
    eachNode("agents", (scope, node) => software.agent(scope, node, deadlines)),
    eachNode("configure", (scope, node) => software.configure(scope, node, deadlines)),
  ];
}
