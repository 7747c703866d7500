import path from "node:path";
import { Duration, type StackProps } from "aws-cdk-lib";
import { Architecture, Code, LayerVersion, Runtime } from "aws-cdk-lib/aws-lambda";
import { Asset } from "aws-cdk-lib/aws-s3-assets";
import type { Construct } from "constructs";
import type { EnvironmentSettings } from "../../layers/domain/environment.ts";
import { type OperationKind, operationKindSchema } from "../../layers/domain/operation/operation.ts";
import type { BuildOutput } from "../build/build.ts";
import type { FunctionSource } from "../build/tree.ts";
import type { EnvironmentConfig } from "../config/schema.ts";
import type { Watched } from "../constructs/alarm-list.ts";
import { EnvironmentAlarms } from "../constructs/alarms.ts";
import { ClusterProvider } from "../constructs/cluster-provider.ts";
import { scheduleTarget } from "../constructs/cluster-schedules.ts";
import { ClusterSecrets } from "../constructs/cluster-secrets.ts";
import { ControlPlaneFunction, type FunctionEnvironment } from "../constructs/control-plane-function.ts";
import { EnvironmentDashboards } from "../constructs/dashboards.ts";
import { DurableWorkflow } from "../constructs/durable-workflow.ts";
import { EnvironmentApi } from "../constructs/environment-api.ts";
import { FailureQueue } from "../constructs/failure-queue.ts";
import { NodeDocument } from "../constructs/node-document.ts";
import { NodeFleet } from "../constructs/node-fleet.ts";
import { NodeLaunchTemplate } from "../constructs/node-launch-template.ts";
import { Reconciler } from "../constructs/reconciler.ts";
import type { DataStack } from "./data.ts";
import { EnvironmentStack } from "./environment-stack.ts";
import type { NodesStack } from "./nodes.ts";

interface Ground {
  readonly config: EnvironmentConfig;
  readonly build: BuildOutput;
  readonly data: DataStack;
  readonly nodes: NodesStack;
}

/** An answer that takes longer is lost: API Gateway gives up after 30 s. */
const apiTimeout = Duration.seconds(29);
/** About half a processor: start and answers in tens of milliseconds. */
const apiMemoryMiB = 1024;

/** A few calls of DynamoDB and one of Lambda. */
const scheduleTargetTimeout = Duration.seconds(30);
const scheduleTargetMemoryMiB = 512;

/** Reconcilers that start operations; the others do not learn of any. */
const startingReconcilers: readonly string[] = [
  "stuck-operations",
  "expirations",
  "self-healing",
  "certificates",
  "scheduled-backups",
];

/** What the clusters' schedules start. */
const scheduled: readonly OperationKind[] = ["backup-cluster", "drill-backup", "verify-backups"];

/** What a template can make of a cluster. */
const templated: readonly OperationKind[] = ["create-cluster", "converge-cluster", "delete-cluster"];

/** The operation that another one begins and waits for: a delete takes a final backup. */
const starts = ({ name }: FunctionSource): OperationKind | null =>
  name === "delete-cluster" ? "backup-cluster" : null;

/** What runs: it can be thrown away and deployed again while clusters keep serving. */
export class ControlPlaneStack extends EnvironmentStack {
  readonly #ground: Ground;
  readonly #document: NodeDocument;
  readonly #fleet: NodeFleet;
  readonly #secrets: ClusterSecrets;

  constructor(scope: Construct, ground: Ground, props: StackProps) {
    const { config, data, nodes } = ground;
    super(scope, "ControlPlane", config, {
      ...props,
      description: "pgherd: API, workflows, reconcilers. Holds no data",
    });
    // Functions write to its log groups, which they know by name.
    this.addStackDependency(data);
    this.#ground = ground;
    this.#document = new NodeDocument(this, "NodeDocument", { environment: config.name });
    const launchTemplate = new NodeLaunchTemplate(this, "NodeLaunchTemplate", {
      environment: config.name,
      imageId: config.nodeImage,
      instanceProfileArn: nodes.identity.instanceProfileArn,
      keyArn: data.key.keyArn,
      defaultInstanceType: config.defaultInstanceType,
    });
    this.#fleet = new NodeFleet(this, "NodeFleet", {
      environment: config.name,
      network: nodes.network,
      identity: nodes.identity,
      key: data.key,
      launchTemplate,
      nodeImage: config.nodeImage,
    });
    this.#secrets = new ClusterSecrets(this, "ClusterSecrets", { environment: config.name, key: data.key });

    const environment = this.#functionEnvironment(launchTemplate.launchTemplateId);
    const workflows = this.#addWorkflows(environment);
    const starting: FunctionEnvironment = {
      ...environment,
      settings: {
        ...environment.settings,
        workflows: Object.fromEntries([...workflows].map(([kind, workflow]) => [kind, workflow.aliasArn])),
      },
    };
    const api = this.#addApi(starting, workflows);
    this.#addReconcilers({ environment, starting }, workflows);
    this.#addScheduleTarget(starting, workflows);
    this.#addClusterProvider(starting, workflows);
    if (config.deployer === "cloudformation") this.#addAlarms(api);
  }

  #addAlarms(api: EnvironmentApi): void {
    const { build, config, data } = this.#ground;
    const watched: Watched = {
      environment: config.name,
      apiId: api.apiId,
      tableName: data.table.tableName,
      // A workflow's failure is its operation's, which has alarms of its own.
      functions: build.functions.filter(({ kind }) => kind !== "workflow").map(({ name }) => name),
    };
    new EnvironmentAlarms(this, "Alarms", { watched, emails: config.alarms.emails, keyArn: data.key.keyArn });
    new EnvironmentDashboards(this, "Dashboards", watched);
  }

  #functionEnvironment(launchTemplateId: string): FunctionEnvironment {
    const { config, build, data, nodes } = this.#ground;
    const architecture = config.architecture === "arm64" ? Architecture.ARM_64 : Architecture.X86_64;
    const layer = new LayerVersion(this, "Layer", {
      description: "@pgherd/layers: what functions share",
      code: Code.fromAsset(path.join(build.directory, "layer")),
      compatibleRuntimes: [Runtime.NODEJS_24_X],
      compatibleArchitectures: [architecture],
    });
    const program = new Asset(this, "NodeProgram", {
      path: path.join(build.directory, "node/pgherd-node.cjs"),
    });
    const settings: EnvironmentSettings = {
      environment: config.name,
      vpcId: nodes.network.vpcId,
      subnets: { ...nodes.network.subnets },
      launchTemplateId,
      defaultInstanceType: config.defaultInstanceType,
      defaultDeletionProtection: config.defaultDeletionProtection,
      ...(config.limits === undefined ? {} : { limits: config.limits }),
      defaultClientCidrs: config.defaultClientCidrs,
      orphanGraceSeconds: config.orphanGraceSeconds,
      nodeProgram: {
        bucket: program.s3BucketName,
        key: program.s3ObjectKey,
        sha256: build.nodeProgramSha256,
      },
      nodeDocument: this.#document.name,
      backups: { bucket: data.backups.bucketName },
      schedules: data.schedules.settings,
      keyId: data.key.keyArn,
      workflows: {},
      principals: config.access.kind === "iam" ? config.access.principals : {},
    };
    const failures = config.diagnostics
      ? new FailureQueue(this, "FailureQueue", { environment: config.name })
      : null;
    return {
      name: config.name,
      build,
      layer,
      architecture,
      tableName: data.table.tableName,
      settings,
      failures,
    };
  }

  #addWorkflows(environment: FunctionEnvironment): ReadonlyMap<OperationKind, DurableWorkflow> {
    const workflows = new Map<OperationKind, DurableWorkflow>();
    const sources = environment.build.functions.filter(({ kind }) => kind === "workflow");
    const order = [...sources].sort(
      (left, right) => Number(starts(left) !== null) - Number(starts(right) !== null),
    );
    for (const source of order) {
      const kind = operationKindSchema.parse(source.name);
      const begun = starts(source);
      const other = begun === null ? undefined : workflows.get(begun);
      const own = begun === null || other === undefined ? {} : { [begun]: other.aliasArn };
      const knowing = { ...environment, settings: { ...environment.settings, workflows: own } };
      const workflow = new DurableWorkflow(this, constructId(source), { environment: knowing, source });
      this.#ground.data.table.grantReadWriteItems(workflow);
      this.#grantOperation(kind, workflow);
      other?.grantStart(workflow);
      workflows.set(kind, workflow);
    }
    return workflows;
  }

  /** What each operation does to the world. */
  #grantOperation(kind: OperationKind, workflow: DurableWorkflow): void {
    switch (kind) {
      case "create-cluster":
      case "restore-cluster":
        this.#grantMaking(workflow);
        this.#ground.data.backups.grantRemoveBackups(workflow);
        this.#secrets.grantReadStoreKeys(workflow);
        return;
      case "undelete-cluster":
        this.#grantMaking(workflow);
        return;
      // What it makes has no schedules.
      case "drill-backup":
        this.#fleet.grantMakeNodes(workflow);
        this.#secrets.grantMakeAndRead(workflow);
        this.#secrets.grantRemove(workflow);
        this.#document.grantRunCommands(workflow);
        return;
      case "delete-cluster":
        this.#fleet.grantRemoveNodes(workflow);
        this.#secrets.grantRemove(workflow);
        this.#ground.data.schedules.grantRemove(workflow);
        this.#document.grantRunCommands(workflow);
        return;
      case "converge-cluster":
      case "recover-cluster":
        this.#fleet.grantChangeNodes(workflow);
        this.#secrets.grantMakeAndRead(workflow);
        this.#document.grantRunCommands(workflow);
        this.#ground.data.schedules.grantApply(workflow);
        return;
      case "start-cluster":
        this.#fleet.grantMakeNodes(workflow);
        this.#fleet.grantStopAndStartNodes(workflow);
        this.#secrets.grantMakeAndRead(workflow);
        this.#document.grantRunCommands(workflow);
        return;
      case "stop-cluster":
        this.#fleet.grantStopAndStartNodes(workflow);
        this.#fleet.grantSeeNodes(workflow);
        this.#document.grantRunCommands(workflow);
        return;
      case "rotate-credentials":
      case "rotate-certificates":
        this.#secrets.grantMakeAndRead(workflow);
        this.#secrets.grantRemove(workflow);
        this.#document.grantRunCommands(workflow);
        return;
      case "switchover-cluster":
      case "failover-cluster":
      case "restart-cluster":
      case "reinitialize-node":
      case "pause-cluster":
      case "resume-cluster":
      case "restore-in-place":
      case "rollback-restore":
      case "confirm-restore":
      case "backup-cluster":
      case "delete-backup":
      case "create-restore-point":
      case "load-database":
      case "verify-backups":
        this.#document.grantRunCommands(workflow);
        return;
    }
  }

  #grantMaking(workflow: DurableWorkflow): void {
    this.#fleet.grantMakeNodes(workflow);
    this.#secrets.grantMakeAndRead(workflow);
    this.#secrets.grantRemove(workflow);
    this.#document.grantRunCommands(workflow);
    this.#ground.data.schedules.grantApply(workflow);
  }

  #addApi(
    environment: FunctionEnvironment,
    workflows: ReadonlyMap<OperationKind, DurableWorkflow>,
  ): EnvironmentApi {
    const source = environment.build.functions.find(({ kind }) => kind === "api");
    if (source === undefined) {
      throw new Error("functions/api/index.ts is not there: without it an environment has no API");
    }
    const handler = new ControlPlaneFunction(this, "ApiFunction", {
      environment,
      source,
      description: "pgherd's HTTP API",
      timeout: apiTimeout,
      memoryMiB: apiMemoryMiB,
      concurrency: this.#ground.config.api.concurrency,
    });
    this.#ground.data.table.grantReadWriteItems(handler);
    // Topology is asked of a node when it is asked for.
    this.#document.grantRunCommands(handler);
    // A restore is checked against what the archive has.
    this.#ground.data.backups.grantListBackups(handler);
    this.#secrets.grantReadStoreKeys(handler);
    for (const workflow of workflows.values()) {
      workflow.grantStart(handler);
    }
    const { name, access, api } = this.#ground.config;
    return new EnvironmentApi(this, "Api", { environment: name, access, handler, domain: api.domain });
  }

  /** Called by the scheduler, with the role of the schedules. */
  #addScheduleTarget(
    environment: FunctionEnvironment,
    workflows: ReadonlyMap<OperationKind, DurableWorkflow>,
  ): void {
    const sources = environment.build.functions.filter(({ kind }) => kind === "schedule");
    const [source, ...others] = sources;
    if (source?.name !== scheduleTarget || others.length > 0) {
      throw new Error(
        `functions/schedules has ${sources.map(({ name }) => name).join(", ") || "nothing"}, and schedules start ${scheduleTarget} alone`,
      );
    }
    const target = new ControlPlaneFunction(this, constructId(source), {
      environment,
      source,
      description: "Starts what a cluster's schedule says",
      timeout: scheduleTargetTimeout,
      memoryMiB: scheduleTargetMemoryMiB,
    });
    environment.failures?.collect(target.function);
    this.#ground.data.table.grantReadWriteItems(target);
    for (const kind of scheduled) workflows.get(kind)?.grantStart(target);
  }

  /** Makes clusters that are resources of templates, as the API would. */
  #addClusterProvider(
    environment: FunctionEnvironment,
    workflows: ReadonlyMap<OperationKind, DurableWorkflow>,
  ): void {
    const sources = environment.build.functions.filter(({ kind }) => kind === "resource");
    const [begin, look] = ["begin-cluster", "await-cluster"].map((name) =>
      sources.find((source) => source.name === name),
    );
    if (begin === undefined || look === undefined) return;
    const provider = new ClusterProvider(this, "ClusterProvider", { environment, begin, look });
    for (const handler of provider.functions) {
      this.#ground.data.table.grantReadWriteItems(handler);
      this.#secrets.grantReadStoreKeys(handler);
      for (const kind of templated) workflows.get(kind)?.grantStart(handler);
    }
  }

  #addReconcilers(
    { environment, starting }: { environment: FunctionEnvironment; starting: FunctionEnvironment },
    workflows: ReadonlyMap<OperationKind, DurableWorkflow>,
  ): void {
    for (const source of environment.build.functions.filter(({ kind }) => kind === "reconciler")) {
      const reconciler = new Reconciler(this, constructId(source), {
        environment: startingReconcilers.includes(source.name) ? starting : environment,
        source,
        every: Duration.minutes(1),
        ...(source.name === "orphans" ? orphanSweeps(this.#ground.config.orphanGraceSeconds) : {}),
      });
      this.#ground.data.table.grantReadWriteItems(reconciler);
      this.#grantReconciler(source.name, reconciler, workflows);
    }
  }

  #grantReconciler(
    name: string,
    reconciler: Reconciler,
    workflows: ReadonlyMap<OperationKind, DurableWorkflow>,
  ): void {
    switch (name) {
      case "stuck-operations":
        for (const workflow of workflows.values()) {
          workflow.grantStart(reconciler);
          workflow.grantFind(reconciler);
          workflow.grantStop(reconciler);
        }
        return;
      case "expirations":
        for (const workflow of workflows.values()) workflow.grantStart(reconciler);
        return;
      case "self-healing":
        workflows.get("converge-cluster")?.grantStart(reconciler);
        this.#fleet.grantSeeNodes(reconciler);
        this.#document.grantRunCommands(reconciler);
        return;
      case "orphans":
        this.#fleet.grantRemoveNodes(reconciler);
        this.#secrets.grantRemove(reconciler);
        this.#secrets.grantList(reconciler);
        this.#ground.data.schedules.grantRemove(reconciler);
        this.#ground.data.schedules.grantList(reconciler);
        return;
      case "deleted-clusters":
        this.#ground.data.backups.grantRemoveBackups(reconciler);
        this.#secrets.grantReadStoreKeys(reconciler);
        this.#secrets.grantRemove(reconciler);
        return;
      case "certificates":
        workflows.get("rotate-certificates")?.grantStart(reconciler);
        return;
      case "scheduled-backups":
        for (const kind of scheduled) workflows.get(kind)?.grantStart(reconciler);
        workflows.get("converge-cluster")?.grantStart(reconciler);
        return;
      case "cluster-health":
        this.#fleet.grantSeeNodes(reconciler);
        this.#document.grantRunCommands(reconciler);
        return;
      default:
        throw new Error(`infra/stacks/control-plane.ts does not say what reconciler ${name} may do`);
    }
  }
}

/**
 * It lists everything that there is, which takes minutes where there are thousands of clusters and counts against rates
 * that others share: some looks within the time that an orphan is left alone are enough.
 */
function orphanSweeps(graceSeconds: number): { readonly every: Duration; readonly timeout?: Duration } {
  const minutes = Math.min(10, Math.max(1, Math.floor(graceSeconds / 360)));
  const every = Duration.minutes(minutes);
  return minutes < 10 ? { every } : { every, timeout: Duration.minutes(9) };
}

/** create-cluster → CreateCluster */
function constructId(source: FunctionSource): string {
  return source.name.replace(/(^|-)([a-z])/g, (_match, _hyphen: string, letter: string) =>
    letter.toUpperCase(),
  );
}
