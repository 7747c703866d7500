import { CustomResource, Duration, Stack, Token } from "aws-cdk-lib";
import { Construct } from "constructs";
import { type CreateClusterBody, createClusterBodySchema } from "../../layers/domain/cluster/create-body.ts";
import {
  type ClusterResource,
  type RemovalResource,
  templateResourceTypes,
  templateResourceWaitMinutes,
  type WaitResource,
} from "../../layers/domain/cluster/template-resource.ts";
import { clusterProviderName, functionArn } from "./names.ts";

/** CloudFormation's own limit for one resource. */
const serviceTimeout = Duration.hours(1);
/** Enough for a create and for most changes; data that is copied to other nodes by the terabyte takes longer. */
const patienceDefault = Duration.minutes(templateResourceWaitMinutes);
const patienceMax = Duration.hours(12);

export interface PostgresClusterProps {
  /** The pgherd environment, in the account and region of the stack, that makes the cluster. */
  readonly environment: string;
  /** The body of a create. A change of it is carried out as PATCH does; what it does not name has its default. */
  readonly spec: CreateClusterBody;
  /**
   * Whether a change restarts PostgreSQL where a parameter needs that.
   * @default "reload": members say that a restart is pending
   */
  readonly apply?: "reload" | "restart";
  /**
   * How long a deployment waits for the cluster, also for its delete, up to 12 hours. The operation goes on beyond it.
   * @default 50 minutes
   */
  readonly patience?: Duration;
}

/**
 * A PostgreSQL cluster of pgherd as a part of a template: made, changed and deleted by the same operations that the API
 * starts. Deleting one with `deletionProtection` fails and leaves it as it is; a delete takes a final backup first.
 *
 * CloudFormation gives a resource one hour. Where `patience` is longer, further resources wait on, each for its own
 * hour: for what is made or changed before anything that depends on this construct, for a delete after the cluster.
 * An operation goes on beyond all patience, and deploying or deleting again waits on.
 */
export class PostgresCluster extends Construct {
  readonly clusterId: string;
  /** Addresses of the nodes with proxies, with commas. */
  readonly hosts: string;
  readonly readWritePort: string;
  readonly readOnlyPort: string;
  readonly pooledPort: string;
  readonly database: string;
  readonly clientUser: string;
  /** Name of the SecureString that holds the password. */
  readonly clientPasswordParameter: string;
  readonly adminUser: string;
  readonly adminPasswordParameter: string;
  /** PEM, for `sslrootcert` with `sslmode=verify-full`. */
  readonly caCertificate: string;

  constructor(scope: Construct, id: string, props: PostgresClusterProps) {
    super(scope, id);
    const { apply = "reload", environment, patience = patienceDefault } = props;
    checkBody(this.node.path, props.spec);
    const links = linksFor(this.node.path, patience);
    const serviceToken = functionArn(this, environment, clusterProviderName);
    const properties: ClusterResource = {
      Spec: Stack.of(this).toJsonString(props.spec),
      Apply: apply,
      IsLast: links === 0 ? "true" : "false",
    };
    const cluster = new CustomResource(this, "Cluster", {
      serviceToken,
      serviceTimeout,
      resourceType: templateResourceTypes.cluster,
      properties: { ...properties },
    });
    const removal = this.#addRemovals(serviceToken, props.spec.name, links);
    if (removal !== null) cluster.node.addDependency(removal);
    let before = cluster;
    for (let link = 1; link <= links; link += 1) {
      const waiting: WaitResource = {
        OperationId: cluster.getAttString("OperationId"),
        IsLast: link === links ? "true" : "false",
      };
      const next = new CustomResource(this, `Wait${link}`, {
        serviceToken,
        serviceTimeout,
        resourceType: templateResourceTypes.wait,
        properties: { ...waiting },
      });
      next.node.addDependency(before);
      before = next;
    }
    const attribute = (name: string): string => cluster.getAttString(name);
    this.clusterId = attribute("ClusterId");
    this.hosts = attribute("Hosts");
    this.readWritePort = attribute("ReadWritePort");
    this.readOnlyPort = attribute("ReadOnlyPort");
    this.pooledPort = attribute("PooledPort");
    this.database = attribute("Database");
    this.clientUser = attribute("ClientUser");
    this.clientPasswordParameter = attribute("ClientPasswordParameter");
    this.adminUser = attribute("AdminUser");
    this.adminPasswordParameter = attribute("AdminPasswordParameter");
    this.caCertificate = attribute("CaCertificate");
  }

  /** What is deleted after the cluster is what the cluster depends on: the first of them, which depends on the next. */
  #addRemovals(serviceToken: string, name: string, links: number): CustomResource | null {
    let after: CustomResource | null = null;
    for (let link = links; link >= 1; link -= 1) {
      const waiting: RemovalResource = { Name: name, IsLast: link === links ? "true" : "false" };
      const removal = new CustomResource(this, `Removal${link}`, {
        serviceToken,
        serviceTimeout,
        resourceType: templateResourceTypes.removal,
        properties: { ...waiting },
      });
      if (after !== null) removal.node.addDependency(after);
      after = removal;
    }
    return after;
  }
}

/** Resources that wait on after the first one, and as many for a delete. */
function linksFor(path: string, patience: Duration): number {
  if (patience.toMinutes() > patienceMax.toMinutes()) {
    throw new Error(`${path}: patience must be at most ${patienceMax.toHours()} hours`);
  }
  return Math.max(0, Math.ceil(patience.toMinutes() / templateResourceWaitMinutes) - 1);
}

/** What is not known yet, such as the id of a security group in the same stack, is checked when it is deployed. */
function checkBody(path: string, body: CreateClusterBody): void {
  const read = createClusterBodySchema.safeParse(body);
  const issues = (read.error?.issues ?? []).filter((issue) => !Token.isUnresolved(at(body, issue.path)));
  if (issues.length === 0) return;
  const lines = issues.map(({ message, path: field }) => `  ${field.join(".") || "spec"}: ${message}`);
  throw new Error(`The spec of the cluster ${path} is not right:\n${lines.join("\n")}`);
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === "object" && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  );
}
