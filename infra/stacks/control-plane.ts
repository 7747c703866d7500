import path from "node:path";
import type { StackProps } from "aws-cdk-lib";
import { Architecture, Code, LayerVersion, Runtime } from "aws-cdk-lib/aws-lambda";
import { Asset } from "aws-cdk-lib/aws-s3-assets";
import type { Construct } from "constructs";
import type { EnvironmentSettings } from "../../layers/domain/environment.ts";
import type { BuildOutput } from "../build/build.ts";
import type { EnvironmentConfig } from "../config/schema.ts";
import type { Watched } from "../constructs/alarm-list.ts";
import { EnvironmentAlarms } from "../constructs/alarms.ts";
import { ClusterSecrets } from "../constructs/cluster-secrets.ts";
import type { FunctionEnvironment } from "../constructs/control-plane-function.ts";
import { EnvironmentDashboards } from "../constructs/dashboards.ts";
import type { EnvironmentApi } from "../constructs/environment-api.ts";
import { FailureQueue } from "../constructs/failure-queue.ts";
import { NodeDocument } from "../constructs/node-document.ts";
import { NodeFleet } from "../constructs/node-fleet.ts";
import { NodeLaunchTemplate } from "../constructs/node-launch-template.ts";
import { addApi } from "../control-plane/api.ts";
import type { Holdings, Workflows } from "../control-plane/holdings.ts";
import { addReconcilers } from "../control-plane/reconcilers.ts";
import { addClusterProvider } from "../control-plane/resources.ts";
import { addScheduleTarget } from "../control-plane/schedules.ts";
import { addWorkflows } from "../control-plane/workflows.ts";
import type { DataStack } from "./data.ts";
import { EnvironmentStack } from "./environment-stack.ts";
import type { NodesStack } from "./nodes.ts";

interface Ground {
  readonly config: EnvironmentConfig;
  readonly build: BuildOutput;
  readonly data: DataStack;
  readonly nodes: NodesStack;
}

/**
 * What runs: it can be thrown away and deployed again while clusters keep serving. `infra/control-plane/` has a file for
 * each folder of `functions/`, which says how its functions run and what each of them may do.
 */
export class ControlPlaneStack extends EnvironmentStack {
  readonly #ground: Ground;

  constructor(scope: Construct, ground: Ground, props: StackProps) {
    const { config, data, nodes } = ground;
    super(scope, "ControlPlane", config, {
      ...props,
      description: "pgherd: API, workflows, reconcilers. Holds no data",
    });
    // Functions write to its log groups, which they know by name.
    this.addStackDependency(data);
    // Roles of nodes are made within its boundary, which functions know by name too.
    this.addStackDependency(nodes);
    this.#ground = ground;
    const document = new NodeDocument(this, "NodeDocument", { environment: config.name });
    const launchTemplate = new NodeLaunchTemplate(this, "NodeLaunchTemplate", {
      environment: config.name,
      imageId: config.nodeImage,
      keyArn: data.key.keyArn,
      defaultInstanceType: config.defaultInstanceType,
    });
    const fleet = new NodeFleet(this, "NodeFleet", {
      environment: config.name,
      network: nodes.network,
      identity: nodes.identity,
      key: data.key,
      launchTemplate,
      nodeImage: config.nodeImage,
    });
    const secrets = new ClusterSecrets(this, "ClusterSecrets", { environment: config.name, key: data.key });
    const { table, backups, schedules } = data;
    const api = this.#addFunctions(
      this.#functionEnvironment(launchTemplate.launchTemplateId, document.name),
      { table, backups, schedules, secrets, fleet, identity: nodes.identity, document },
    );
    if (config.deployer === "cloudformation") this.#addAlarms(api);
  }

  #addFunctions(environment: FunctionEnvironment, holdings: Holdings): EnvironmentApi {
    const { config } = this.#ground;
    const workflows = addWorkflows(this, environment, holdings);
    const starting = knowing(environment, workflows);
    const api = addApi(this, starting, config, holdings, workflows);
    const { orphanGraceSeconds } = config;
    addReconcilers(this, { environment, knowing: starting, orphanGraceSeconds }, holdings, workflows);
    addScheduleTarget(this, starting, holdings, workflows);
    addClusterProvider(this, starting, holdings, workflows);
    return api;
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

  #functionEnvironment(launchTemplateId: string, nodeDocument: string): FunctionEnvironment {
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
      monitoring: {
        securityGroupId: nodes.network.monitoringGroupId,
        cidrs: config.monitoringCidrs,
      },
      orphanGraceSeconds: config.orphanGraceSeconds,
      nodeProgram: {
        bucket: program.s3BucketName,
        key: program.s3ObjectKey,
        sha256: build.nodeProgramSha256,
      },
      nodeDocument,
      nodeRoles: {
        partition: this.partition,
        account: this.account,
        boundaryArn: nodes.identity.boundaryArn,
      },
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
}

/** The same for functions that start operations. */
function knowing(environment: FunctionEnvironment, workflows: Workflows): FunctionEnvironment {
  const aliases = Object.fromEntries([...workflows].map(([kind, { aliasArn }]) => [kind, aliasArn]));
  return { ...environment, settings: { ...environment.settings, workflows: aliases } };
}
