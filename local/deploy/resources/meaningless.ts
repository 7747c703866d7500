import type { ResourceType } from "../targets.ts";

/** Types that change nothing on one machine, each with the reason. Any other unknown type fails the deployment. */
const reasons: Readonly<Record<string, string>> = {
  "AWS::ApiGatewayV2::Stage": "there is one stage, and the gateway writes its own access log",
  "AWS::EC2::FlowLog": "the bridge can be watched with tcpdump",
  "AWS::EC2::RouteTable": "all machines share one bridge",
  "AWS::EC2::SubnetRouteTableAssociation": "all machines share one bridge",
  "AWS::EC2::VPCEndpoint": "the endpoints are on the bridge",
  "AWS::Lambda::Permission": "the local gateway and timers call the functions that the template names",
  "AWS::Logs::LogGroup": "functions write to bounded files in the state directory",
  "AWS::S3::BucketPolicy":
    "it refuses requests without TLS, and what nodes keep backups with speaks TLS here, too",
};

export const meaninglessResources: Readonly<Record<string, ResourceType>> = Object.fromEntries(
  Object.keys(reasons).map((type) => [
    type,
    { make: (_properties, { key }) => ({ ref: key, attributes: { Arn: `arn:aws:local:::${key}` } }) },
  ]),
);
