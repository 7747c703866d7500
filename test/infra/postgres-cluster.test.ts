import { App, CfnOutput, Duration, Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { CfnSecurityGroup } from "aws-cdk-lib/aws-ec2";
import { expect, test } from "vitest";
import { PostgresCluster, type PostgresClusterProps } from "../../infra/index.ts";

function template(props: Partial<PostgresClusterProps> = {}): Template {
  const stack = new Stack(new App(), "Shop");
  const cluster = new PostgresCluster(stack, "Orders", {
    environment: "prod",
    spec: { name: "orders", members: 3 },
    ...props,
  });
  new CfnOutput(stack, "Hosts", { value: cluster.hosts });
  return Template.fromStack(stack);
}

test("an app of somebody else's has a cluster by the environment's name alone", () => {
  const resources = template().findResources("Custom::PgherdCluster");
  const [resource, ...more] = Object.values(resources);
  expect(more).toEqual([]);
  expect(resource?.["Properties"]).toMatchObject({
    ServiceTimeout: "3600",
    Spec: '{"name":"orders","members":3}',
    Apply: "reload",
    IsLast: "true",
  });
  expect(JSON.stringify(resource?.["Properties"].ServiceToken)).toContain(
    ":function:pgherd-prod-cluster-resource",
  );
  template().hasOutput("Hosts", { Value: { "Fn::GetAtt": [Object.keys(resources)[0], "Hosts"] } });
});

test("what a deployment waits for beyond an hour is waited for by further resources, up to 12 hours", () => {
  template({ patience: Duration.hours(12) }).resourceCountIs("Custom::PgherdClusterWait", 14);
  expect(() => template({ patience: Duration.hours(13) })).toThrow("patience must be at most 12 hours");
});

test("a delete is waited for as long, by resources that are deleted after the cluster, one after the other", () => {
  template().resourceCountIs("Custom::PgherdClusterRemoval", 0);
  const long = template({ patience: Duration.hours(2) });
  const removals = Object.entries(long.findResources("Custom::PgherdClusterRemoval"));
  const [last, first, ...more] = removals.toSorted(
    ([, left], [, right]) =>
      Number(left["DependsOn"] !== undefined) - Number(right["DependsOn"] !== undefined),
  );
  expect(more).toEqual([]);
  expect(last?.[1]["Properties"]).toMatchObject({ Name: "orders", IsLast: "true" });
  expect(first?.[1]).toMatchObject({ Properties: { IsLast: "false" }, DependsOn: [last?.[0]] });
  const [cluster] = Object.values(long.findResources("Custom::PgherdCluster"));
  expect(cluster?.["DependsOn"]).toEqual([first?.[0]]);
});

test("a spec that is not right fails the synthesis with the cluster and the field", () => {
  const wrong = () => template({ spec: { name: "Orders", members: 99 } });
  expect(wrong).toThrow("The spec of the cluster Shop/Orders is not right:");
  expect(wrong).toThrow("  name: ");
  expect(wrong).toThrow("  members: ");
});

test("what is known only when the stack deploys is left to the deployment", () => {
  const stack = new Stack(new App(), "Shop");
  const group = new CfnSecurityGroup(stack, "Clients", {
    groupDescription: "clients",
    vpcId: "vpc-0a1b2c3d",
  });
  const spec = { name: "orders", access: { securityGroupIds: [group.attrGroupId] } };
  new PostgresCluster(stack, "Orders", { environment: "prod", spec });
  const [resource] = Object.values(Template.fromStack(stack).findResources("Custom::PgherdCluster"));
  expect(JSON.stringify(resource?.["Properties"].Spec)).toContain("GroupId");
});
