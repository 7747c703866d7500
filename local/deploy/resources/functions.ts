import type { AssetDirectories, Properties, ResourceType } from "../targets.ts";
import { listOf, numberOf, objectOf, optionalText, textOf } from "./properties.ts";

/** Lambda's own defaults. */
const timeoutSecondsDefault = 3;
const memoryMiBDefault = 128;
const durableRetentionDaysDefault = 14;
/** Two cores answer no faster with more processes, and each takes some 60 MB. */
const concurrencyDefault = 4;
/** The API answers people who wait: its processes are there before the first call. */
const warmForApi = 3;

export const functionResources: Readonly<Record<string, ResourceType>> = {
  "AWS::Lambda::LayerVersion": {
    make: (properties, { assets }) => ({
      ref: directoryOf(objectOf(properties, "Content"), assets),
      attributes: {},
    }),
  },
  "AWS::Lambda::Function": {
    make: (properties, { targets, assets, key, logicalId }) => {
      const name = optionalText(properties, "FunctionName") ?? key.replace("/", "-");
      const durable =
        properties["DurableConfig"] === undefined ? null : objectOf(properties, "DurableConfig");
      const arn = targets.lambda.createFunction({
        functionName: name,
        handler: textOf(properties, "Handler"),
        codeDirectory: directoryOf(objectOf(properties, "Code"), assets),
        layerDirectories: listOf(properties, "Layers").map(String),
        environment: textsOf(objectOf(objectOf(properties, "Environment"), "Variables")),
        roleName: textOf(properties, "Role").split("/").at(-1) ?? "",
        timeoutSeconds: numberOf(properties, "Timeout", timeoutSecondsDefault),
        memoryMiB: numberOf(properties, "MemorySize", memoryMiBDefault),
        durable:
          durable === null
            ? null
            : {
                executionTimeoutSeconds: numberOf(durable, "ExecutionTimeout", 0),
                retentionDays: numberOf(durable, "RetentionPeriodInDays", durableRetentionDaysDefault),
              },
        concurrency: concurrencyDefault,
        warm: logicalId.startsWith("Api") ? warmForApi : 0,
      });
      return { ref: name, attributes: { Arn: arn } };
    },
    remove: (name, { lambda }) => {
      // A deployment that was killed may have deleted it and not said so.
      if (lambda.listFunctions().some(({ functionName }) => functionName === name))
        lambda.deleteFunction(name);
    },
  },
  "AWS::Lambda::Version": {
    make: (properties, { targets }) => {
      const functionName = textOf(properties, "FunctionName");
      const version = targets.lambda.publishVersion(functionName);
      const arn = `arn:aws:lambda:${targets.region}:${targets.account}:function:${functionName}:${version}`;
      return { ref: arn, attributes: { Version: version, FunctionArn: arn } };
    },
  },
  "AWS::Lambda::Alias": {
    make: (properties, { targets }) => {
      const arn = targets.lambda.createAlias(
        textOf(properties, "FunctionName"),
        textOf(properties, "Name"),
        textOf(properties, "FunctionVersion"),
      );
      return { ref: arn, attributes: { AliasArn: arn } };
    },
  },
};

function directoryOf(code: Properties, assets: AssetDirectories): string {
  const location = `${textOf(code, "S3Bucket")}/${textOf(code, "S3Key")}`;
  const directory = assets.get(location);
  if (directory === undefined) throw new Error(`the stage has no asset ${location}`);
  return directory;
}

function textsOf(variables: Properties): Record<string, string> {
  return Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, String(value)]));
}
