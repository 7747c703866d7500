import {
  AuthorizeSecurityGroupIngressCommand,
  DescribeSecurityGroupsCommand,
  type IpPermission,
} from "@aws-sdk/client-ec2";
import { type Cluster, type ClusterNode, tagNames } from "@pgherd/layers/domain";
import { pullPlug } from "../../test/e2e/support/accidents.ts";
import type { Api } from "../../test/e2e/support/api.ts";
import { ec2Client } from "../../test/e2e/support/aws.ts";
import { Database } from "../../test/e2e/support/database.ts";
import type { Environment } from "../../test/e2e/support/environment.ts";
import { postmasterAt } from "../../test/e2e/support/machines.ts";
import { waitFor } from "../../test/e2e/support/wait.ts";
import type { WriterTarget } from "../../test/e2e/support/writers.ts";
import type { PeerSystem, WayIn } from "./system.ts";

const ways = {
  pooled: "pooler (6432)",
  readWrite: "proxy (5000)",
  direct: "clients with several hosts (5432)",
} as const;
export type Way = keyof typeof ways;
/** A machine that was killed is brought back by the control plane itself. */
const wholeSeconds = 180;
const postgresPort = 5432;

/** A cluster with the defaults, by its API alone. */
export class Pgherd implements PeerSystem {
  readonly name = "pgherd";
  readonly ways: readonly WayIn[];
  readonly database: Database;
  readonly #api: Api;
  readonly #cluster: Cluster;
  readonly #environment: Environment;

  private constructor(environment: Environment, api: Api, cluster: Cluster, database: Database) {
    this.#environment = environment;
    this.#api = api;
    this.#cluster = cluster;
    this.database = database;
    this.ways = (["pooled", "readWrite", "direct"] as const).map((way) => ({
      name: ways[way],
      target: this.targetOf(way),
    }));
  }

  /** @param stack removes the cluster */
  static async create(
    environment: Environment,
    api: Api,
    name: string,
    stack: AsyncDisposableStack,
    spec: Record<string, unknown> = {},
  ): Promise<Pgherd> {
    const cluster = await api.createAvailable({ name, ...spec });
    stack.defer(async () => {
      await api.remove(cluster.id);
    });
    await letClientsIn(environment, cluster);
    return new Pgherd(environment, api, cluster, stack.use(await Database.of(environment, api, cluster.id)));
  }

  targetOf(way: Way): WriterTarget {
    // Tables come and go between the runs, and the peers' clients own theirs too.
    return this.database.writerTarget(way, "admin");
  }

  get cluster(): Cluster {
    return this.#cluster;
  }

  sql(statement: string): Promise<string> {
    return this.database.sql("readWrite", "admin", statement);
  }

  get addresses(): readonly string[] {
    return this.#cluster.nodes.flatMap(({ address }) => address ?? []);
  }

  async leader(): Promise<ClusterNode & { readonly address: string }> {
    const { shards } = await this.#api.topology(this.#cluster.id);
    return this.#node(shards[0]?.leader);
  }

  async leaderAddress(): Promise<string> {
    return (await this.leader()).address;
  }

  async dcsLeaderAddress(): Promise<string> {
    const { dcs } = await this.#api.topology(this.#cluster.id);
    return this.#node(dcs.members.find(({ leader }) => leader)?.nodeId).address;
  }

  #node(nodeId: string | null | undefined): ClusterNode & { readonly address: string } {
    const node = this.#cluster.nodes.find(({ id }) => id === nodeId);
    if (node?.address == null) throw new Error("pgherd: nobody leads");
    return { ...node, address: node.address };
  }

  async becomeWhole(): Promise<void> {
    const calledAt = Date.now();
    await waitFor("pgherd's cluster is whole", wholeSeconds, async () => {
      const topology = await this.#api.topology(this.#cluster.id);
      const members = topology.shards[0]?.members ?? [];
      const up = members.filter(({ state }) => state === "running" || state === "streaming");
      const { body } = await this.#api.get<Cluster>(`/v1/clusters/${this.#cluster.id}`);
      const isWhole =
        Date.parse(topology.observedAt) > calledAt &&
        up.length === this.#cluster.nodes.length &&
        members.some(({ role }) => role === "sync-standby") &&
        topology.dcs.members.every(({ healthy }) => healthy) &&
        body.status === "available" &&
        body.activeOperationId === null;
      return isWhole ? true : undefined;
    });
    // Whatever converges the cluster closes what its spec does not open.
    await letClientsIn(this.#environment, this.#cluster);
  }

  /** @returns how long the poolers held their clients, in milliseconds, as the operation says it */
  async switchOver(): Promise<number> {
    const path = `/v1/clusters/${this.#cluster.id}/switchover`;
    const { result } = await this.#api.carryOut("POST", path, {});
    return Number(result?.["pauseMs"]);
  }

  async killPostgres(): Promise<void> {
    process.kill((await postmasterAt(await this.leaderAddress())).pid, "SIGKILL");
  }

  async loseMachine(): Promise<void> {
    await pullPlug(await this.leaderAddress());
  }
}

const everybody = "0.0.0.0/0";

function isOpen({ FromPort, IpRanges = [] }: IpPermission): boolean {
  return FromPort === postgresPort && IpRanges.some(({ CidrIp }) => CidrIp === everybody);
}

/** PostgreSQL itself is for nodes alone; who measures it without proxy and pooler opens the cluster's group. */
async function letClientsIn(environment: Environment, cluster: Cluster): Promise<void> {
  const ec2 = await ec2Client(environment);
  try {
    const Filters = [{ Name: `tag:${tagNames.cluster}`, Values: [cluster.id] }];
    const { SecurityGroups } = await ec2.send(new DescribeSecurityGroupsCommand({ Filters }));
    for (const { GroupId, IpPermissions = [] } of SecurityGroups ?? []) {
      if (IpPermissions.some(isOpen)) continue;
      const IpRanges = [{ CidrIp: everybody }];
      const range = { IpProtocol: "tcp", FromPort: postgresPort, ToPort: postgresPort, IpRanges };
      await ec2.send(new AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions: [range] }));
    }
  } finally {
    ec2.destroy();
  }
}
