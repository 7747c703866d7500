import { Stack } from "aws-cdk-lib";
import { CfnLaunchTemplate } from "aws-cdk-lib/aws-ec2";
import { Construct } from "constructs";
import { tagNames } from "../../layers/domain/cluster/names.ts";
import { resourceName } from "./names.ts";

/** Debian's images name their root volume so. */
const rootDeviceName = "/dev/xvda";
/** The node image takes less than 2 GB; the rest is for logs. Data has a volume of its own. */
const rootVolumeGiB = 8;

/**
 * How a node's instance starts. Its interface and its data volume outlive it and are not in here, and its profile is its
 * cluster's own.
 */
export class NodeLaunchTemplate extends Construct {
  readonly launchTemplateId: string;
  readonly launchTemplateArn: string;

  constructor(
    scope: Construct,
    id: string,
    props: {
      readonly environment: string;
      readonly imageId: string;
      readonly keyArn: string;
      readonly defaultInstanceType: string;
    },
  ) {
    super(scope, id);
    const tags = [{ key: tagNames.environment, value: props.environment }];
    const template = new CfnLaunchTemplate(this, "LaunchTemplate", {
      launchTemplateName: resourceName(props.environment, "node"),
      launchTemplateData: {
        imageId: props.imageId,
        instanceType: props.defaultInstanceType,
        metadataOptions: {
          httpEndpoint: "enabled",
          httpTokens: "required",
          httpPutResponseHopLimit: 1,
          instanceMetadataTags: "disabled",
        },
        blockDeviceMappings: [
          {
            deviceName: rootDeviceName,
            ebs: {
              volumeType: "gp3",
              volumeSize: rootVolumeGiB,
              encrypted: true,
              kmsKeyId: props.keyArn,
              deleteOnTermination: true,
            },
          },
        ],
        tagSpecifications: [
          { resourceType: "instance", tags },
          { resourceType: "volume", tags },
        ],
      },
    });
    this.launchTemplateId = template.ref;
    this.launchTemplateArn = Stack.of(this).formatArn({
      service: "ec2",
      resource: "launch-template",
      resourceName: template.ref,
    });
  }
}
