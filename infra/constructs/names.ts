import { ArnFormat, Stack } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { storeKeysPath } from "../../layers/domain/backup/store.ts";
import { tagNames } from "../../layers/domain/cluster/names.ts";

/** Names carry the environment, so that two environments fit in one account and region. */
export function resourceName(environment: string, name: string): string {
  return `pgherd-${environment}-${name}`;
}

/** Where the pipeline of an environment says which image nodes start from. */
export function nodeImageParameter(environment: string): string {
  return `/pgherd/${environment}/node-image`;
}

/** What is in that image: `{image, packages: {name: version}}`. */
export function nodeImageManifestParameter(environment: string): string {
  return `${nodeImageParameter(environment)}-manifest`;
}

/** What makes clusters that are resources of templates, other people's too. */
export const clusterProviderName = "cluster-resource";

/** The queue of events that no function could take. */
export const failedEvents = "failed-events";

/** Log groups are found by people: their names stay the same when everything else is deployed anew. */
export function logGroupName(environment: string, name: string): string {
  return `/pgherd/${environment}/${name}`;
}

/** Everything of the clusters of an environment in Parameter Store: `/pgherd/<environment>/<clusterId>/…`. */
export function clusterParametersArn(scope: Construct, environment: string, below = "*"): string {
  return Stack.of(scope).formatArn({
    service: "ssm",
    resource: "parameter",
    resourceName: `pgherd/${environment}/clu_*/${below}`,
  });
}

/** Keys of stores of others that hold backups: `/pgherd/<environment>/stores/…`, made by people. */
export function storeParametersArn(scope: Construct, environment: string): string {
  return Stack.of(scope).formatArn({
    service: "ssm",
    resource: "parameter",
    resourceName: `${storeKeysPath(environment).slice(1)}/*`,
  });
}

/** The path above all clusters. */
export function environmentPathArn(scope: Construct, environment: string): string {
  return Stack.of(scope).formatArn({
    service: "ssm",
    resource: "parameter",
    resourceName: `pgherd/${environment}`,
  });
}

/** The paths of clusters themselves, with nothing below. */
export function clusterPathsArn(scope: Construct, environment: string): string {
  return Stack.of(scope).formatArn({
    service: "ssm",
    resource: "parameter",
    resourceName: `pgherd/${environment}/clu_*`,
  });
}

/** Only what the environment made for a cluster: not its endpoints, not another environment's, not other people's. */
export function clusterResource(environment: string): Record<string, Record<string, string>> {
  return {
    StringEquals: { [`aws:ResourceTag/${tagNames.environment}`]: environment },
    StringLike: { [`aws:ResourceTag/${tagNames.cluster}`]: "clu_*" },
  };
}

/** Whatever is made must say at once which environment and cluster it belongs to. */
export function clusterRequest(environment: string): Record<string, Record<string, string>> {
  return {
    StringEquals: { [`aws:RequestTag/${tagNames.environment}`]: environment },
    StringLike: { [`aws:RequestTag/${tagNames.cluster}`]: "clu_*" },
  };
}

/** CloudWatch on behalf of the environment's own alarms, which are named after it. */
export function alarmsOfEnvironment(
  scope: Construct,
  environment: string,
): Record<string, Record<string, string>> {
  const { account } = Stack.of(scope);
  const alarms = Stack.of(scope).formatArn({
    service: "cloudwatch",
    resource: "alarm",
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    resourceName: resourceName(environment, "*"),
  });
  return { StringEquals: { "aws:SourceAccount": account }, ArnLike: { "aws:SourceArn": alarms } };
}

/** A function of the control plane, known by its name alone. */
export function functionArn(scope: Construct, environment: string, name: string): string {
  return Stack.of(scope).formatArn({
    service: "lambda",
    resource: "function",
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    resourceName: resourceName(environment, name),
  });
}

export function ec2Arn(scope: Construct, resource: string, resourceName = "*"): string {
  return Stack.of(scope).formatArn({ service: "ec2", resource, resourceName });
}
