import { runSimulation, type Simulation } from "@cloud-copilot/iam-simulate";
import type { Question } from "../../../local/permissions/use.ts";
import type { PaperRole, PaperStage, Policy } from "./paper-stage.ts";

/** Every SDK and pgBackRest speak TLS to AWS. */
const always = { "aws:SecureTransport": "true" };

/**
 * Whether IAM would let a role do something, and why not: `Allowed`, `ImplicitlyDenied`, `ExplicitlyDenied`; and whether
 * a node gets there at all, where its network has endpoints and nothing else: `Unreachable`.
 * @throws for a question that IAM does not know, and for a policy that it would not take.
 */
export async function answerOf(stage: PaperStage, role: PaperRole, question: Question): Promise<string> {
  if (passesEndpoint(stage, role) && endpointOf(stage, question) === undefined) return "Unreachable";
  const result = await runSimulation(simulationOf(stage, role, question), {});
  if (result.resultType === "error") {
    throw new Error(`${question.action} on ${question.resource}: ${JSON.stringify(result.errors)}`);
  }
  return result.overallResult;
}

/**
 * The simulator leaves out circumstances that IAM does not know for an action, and takes the names in an encryption
 * context for such. In policies and questions alike they go by a name that it knows.
 */
function withKnownNames<T>(value: T): T {
  return JSON.parse(JSON.stringify(value).replaceAll("kms:EncryptionContext:", "aws:RequestTag/"));
}

const prepared = new WeakMap<PaperRole, Simulation["identityPolicies"]>();

function policiesOf(role: PaperRole): Simulation["identityPolicies"] {
  const present = prepared.get(role) ?? withKnownNames([...role.policies]);
  prepared.set(role, present);
  return present;
}

function simulationOf(stage: PaperStage, role: PaperRole, question: Question): Simulation {
  const { action, circumstances } = question;
  // What is not made yet has an id by the time that IAM is asked about it, or none at all: both are one to a policy.
  const resource = question.resource.replace(/\/\*$/, "/new");
  const policy = policyOf(stage, resource);
  const endpoint = passesEndpoint(stage, role) ? endpointOf(stage, question) : undefined;
  return {
    request: {
      principal: role.arn,
      action,
      resource: { resource, accountId: accountOf(resource) ?? stage.account },
      contextVariables: {
        ...always,
        "aws:PrincipalAccount": accountOf(role.arn) ?? "",
        ...withKnownNames(circumstances),
      },
    },
    identityPolicies: policiesOf(role),
    serviceControlPolicies: [],
    resourceControlPolicies: [],
    ...(policy === undefined ? {} : { resourcePolicy: policy }),
    ...(endpoint === undefined ? {} : { vpcEndpointPolicies: [endpoint] }),
    ...(role.boundary === null ? {} : { permissionBoundaryPolicies: withKnownNames([role.boundary]) }),
  };
}

function passesEndpoint({ endpointPolicies }: PaperStage, { isOfNodes }: PaperRole): boolean {
  return isOfNodes && endpointPolicies.size > 0;
}

function endpointOf({ endpointPolicies }: PaperStage, { action }: Question): Policy | undefined {
  return endpointPolicies.get(action.split(":")[0] ?? "");
}

/** The policy of the key, the bucket or the bucket that an object is in. */
function policyOf({ resourcePolicies }: PaperStage, resource: string): unknown {
  const [holder = ""] = resource.startsWith("arn:aws:s3:::") ? resource.split("/") : [resource];
  return resourcePolicies.get(holder)?.policy;
}

function accountOf(arn: string): string | undefined {
  return arn.split(":")[4] || undefined;
}
