import {
  AddRoleToInstanceProfileCommand,
  CreateInstanceProfileCommand,
  CreateRoleCommand,
  DeleteInstanceProfileCommand,
  DeleteRoleCommand,
  DeleteRolePolicyCommand,
  IAMClient,
  type IAMClientConfig,
  PutRolePolicyCommand,
  paginateListRoles,
  RemoveRoleFromInstanceProfileCommand,
  type Tag,
} from "@aws-sdk/client-iam";
import { tagNames } from "../domain/cluster/names.ts";
import {
  clusterOfNodeRole,
  type NodeRights,
  nodePolicy,
  nodePolicyName,
  nodeRoleName,
  nodeRolePath,
  nodeTrust,
} from "../domain/cluster/node-role.ts";
import type { EnvironmentSettings } from "../domain/environment.ts";
import type { NodeIdentities } from "../ports/identities.ts";
import { clientBehaviour } from "./clients.ts";
import { isAwsError } from "./errors.ts";
import { onAllPages } from "./pages.ts";
import { waitFor } from "./wait.ts";

/** What IAM has just made, changed or removed is everywhere within seconds. */
const settleMsDefault = 30_000;

const there = "EntityAlreadyExistsException";
const gone = "NoSuchEntityException";
/** A profile takes one role, and its name says which. */
const taken = "LimitExceededException";
/** What was changed a moment ago is not to be changed, or is still held by what was just removed; or others ask much. */
const unsettled = [
  "ConcurrentModificationException",
  "DeleteConflictException",
  "EntityTemporarilyUnmodifiableException",
  "Throttling",
];

/** A role and an instance profile per cluster, below the environment's path and within its boundary. */
export class IamNodeIdentities implements NodeIdentities {
  readonly #client: IAMClient;
  /** The SDK takes "the profile has its role" for "too many calls", and would ask again and again. */
  readonly #joiner: IAMClient;
  readonly #settings: EnvironmentSettings;
  readonly #region: string;
  readonly #settleMs: number;

  constructor(
    { region, settings }: { readonly region: string; readonly settings: EnvironmentSettings },
    options: { config?: IAMClientConfig; settleMs?: number } = {},
  ) {
    this.#client = new IAMClient({ ...clientBehaviour, ...options.config });
    this.#joiner = new IAMClient({ ...clientBehaviour, ...options.config, maxAttempts: 1 });
    this.#settings = settings;
    this.#region = region;
    this.#settleMs = options.settleMs ?? settleMsDefault;
  }

  ensure: NodeIdentities["ensure"] = async (rights) => {
    const { clusterId } = rights;
    const { environment, nodeRoles } = this.#settings;
    const name = this.#nameOf(clusterId);
    const made = { Path: nodeRolePath(environment), Tags: this.#tagsOf(clusterId) };
    const role = {
      RoleName: name,
      AssumeRolePolicyDocument: JSON.stringify(nodeTrust),
      PermissionsBoundary: nodeRoles.boundaryArn,
      Description: `Nodes of cluster ${clusterId} of pgherd's environment ${environment}`,
    };
    await this.#settling(`role ${name}`, [there], () =>
      this.#client.send(new CreateRoleCommand({ ...made, ...role })),
    );
    await this.#seen(`role ${name} taking its policy`, () => this.#put(rights));
    await this.#settling(`instance profile ${name}`, [there], () =>
      this.#client.send(new CreateInstanceProfileCommand({ ...made, InstanceProfileName: name })),
    );
    const joined = { InstanceProfileName: name, RoleName: name };
    await this.#seen(`instance profile ${name} taking its role`, () =>
      this.#settling(`role of ${name}`, [taken], () =>
        this.#joiner.send(new AddRoleToInstanceProfileCommand(joined)),
      ),
    );
  };

  permit: NodeIdentities["permit"] = (rights) =>
    this.#settling(`policy of ${this.#nameOf(rights.clusterId)}`, [gone], () => this.#put(rights));

  /** The role goes last: by it whoever looks for what was left finds the rest as well. */
  remove: NodeIdentities["remove"] = async (clusterId) => {
    const RoleName = this.#nameOf(clusterId);
    const InstanceProfileName = RoleName;
    const acts = [
      () => this.#client.send(new RemoveRoleFromInstanceProfileCommand({ InstanceProfileName, RoleName })),
      () => this.#client.send(new DeleteInstanceProfileCommand({ InstanceProfileName })),
      () => this.#client.send(new DeleteRolePolicyCommand({ RoleName, PolicyName: nodePolicyName })),
      () => this.#client.send(new DeleteRoleCommand({ RoleName })),
    ];
    for (const act of acts) await this.#settling(`the end of role ${RoleName}`, [gone], act);
  };

  /** The clusters that have a role. */
  async list(): Promise<readonly { readonly name: string; readonly clusterId: string }[]> {
    const { environment } = this.#settings;
    const PathPrefix = nodeRolePath(environment);
    return onAllPages(paginateListRoles({ client: this.#client }, { PathPrefix }), ({ Roles }) =>
      Roles?.flatMap(({ RoleName: name = "" }) => {
        const clusterId = clusterOfNodeRole(environment, name);
        return clusterId === null ? [] : [{ name, clusterId }];
      }),
    );
  }

  #put(rights: NodeRights) {
    return this.#client.send(
      new PutRolePolicyCommand({
        RoleName: this.#nameOf(rights.clusterId),
        PolicyName: nodePolicyName,
        PolicyDocument: JSON.stringify(nodePolicy({ ...this.#settings, region: this.#region }, rights)),
      }),
    );
  }

  #nameOf(clusterId: string): string {
    return nodeRoleName(this.#settings.environment, clusterId);
  }

  #tagsOf(clusterId: string): Tag[] {
    return [
      { Key: tagNames.environment, Value: this.#settings.environment },
      { Key: tagNames.cluster, Value: clusterId },
    ];
  }

  /** Tries until IAM has settled. @param fine errors that say that it is as it should be */
  #settling(what: string, fine: readonly string[], act: () => Promise<unknown>): Promise<void> {
    return this.#until(what, unsettled, async () => {
      try {
        await act();
      } catch (error) {
        if (!isAwsError(error, fine)) throw error;
      }
    });
  }

  /** What was made a moment ago is not known everywhere yet. */
  #seen(what: string, act: () => Promise<unknown>): Promise<void> {
    return this.#until(what, [gone, ...unsettled], act);
  }

  async #until(what: string, passing: readonly string[], act: () => Promise<unknown>): Promise<void> {
    await waitFor(what, this.#settleMs, async () => {
      try {
        await act();
        return true;
      } catch (error) {
        if (isAwsError(error, passing)) return undefined;
        throw error;
      }
    });
  }
}
