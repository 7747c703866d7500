import { secondsOfRate } from "../../lambda/timers.ts";
import type { Properties, ResourceType } from "../targets.ts";
import { listOf, objectOf, optionalText, textOf } from "./properties.ts";

/** What calls functions: the HTTP API, timers, and schedules that are made at run time. */
export const apiResources: Readonly<Record<string, ResourceType>> = {
  "AWS::ApiGatewayV2::Api": {
    make: (_properties, { key, targets }) => ({
      ref: key.replace("/", "-"),
      attributes: {
        ApiId: key.replace("/", "-"),
        ApiEndpoint: `https://local.execute-api.${targets.region}`,
      },
    }),
  },
  "AWS::ApiGatewayV2::Authorizer": {
    make: (properties, { key, collected }) => {
      const type = textOf(properties, "AuthorizerType");
      if (type !== "JWT") throw new Error(`the local HTTP API knows authorizers of type JWT, not ${type}`);
      if (collected.authorizers.size > 0) throw new Error("the local HTTP API has one authorizer, not two");
      const jwt = objectOf(properties, "JwtConfiguration");
      collected.authorizers.set(key, {
        issuer: textOf(jwt, "Issuer"),
        audience: listOf(jwt, "Audience").map(String),
      });
      return { ref: key, attributes: { AuthorizerId: key } };
    },
  },
  "AWS::ApiGatewayV2::Integration": {
    make: (properties, { key, collected }) => {
      const id = key.replace("/", "-");
      collected.integrations.set(`integrations/${id}`, textOf(properties, "IntegrationUri"));
      return { ref: id, attributes: { IntegrationId: id } };
    },
  },
  "AWS::ApiGatewayV2::Route": {
    make: (properties, { key, collected }) => {
      const routeKey = textOf(properties, "RouteKey");
      const integration = collected.integrations.get(textOf(properties, "Target"));
      if (integration === undefined) throw new Error(`the route ${routeKey} has no integration`);
      const type = optionalText(properties, "AuthorizationType") ?? "NONE";
      if (type !== "JWT" && type !== "NONE")
        throw new Error(`the route ${routeKey} is authorized by ${type}`);
      if (type === "JWT" && !collected.authorizers.has(textOf(properties, "AuthorizerId")))
        throw new Error(`the route ${routeKey} has no authorizer`);
      collected.routes.push({ routeKey, integration, authorization: type === "JWT" ? "jwt" : "none" });
      return { ref: key, attributes: { RouteId: key } };
    },
  },
  "AWS::Scheduler::ScheduleGroup": {
    make: (properties, { targets }) => {
      const name = textOf(properties, "Name");
      return { ref: name, attributes: { Arn: targets.scheduler.ensureGroup(name) } };
    },
    remove: (name, { scheduler }) => scheduler.deleteGroup(name),
  },
  "AWS::Events::Rule": {
    make: (properties, { key, targets, collected }) => {
      const name = optionalText(properties, "Name") ?? key.replace("/", "-");
      const everySeconds = secondsOfRate(textOf(properties, "ScheduleExpression"));
      if (optionalText(properties, "State") !== "DISABLED") {
        for (const target of listOf(properties, "Targets") as readonly Properties[])
          collected.rules.push({
            name: `${name}/${textOf(target, "Id")}`,
            everySeconds,
            target: functionOf(target, name),
          });
      }
      const arn = `arn:aws:events:${targets.region}:${targets.account}:rule/${name}`;
      return { ref: name, attributes: { Arn: arn } };
    },
  },
};

/** Timers send the event that EventBridge sends by itself: another one would be lost without a word. */
function functionOf(target: Properties, rule: string): string {
  const input = ["Input", "InputPath", "InputTransformer"].find((name) => target[name] !== undefined);
  if (input !== undefined)
    throw new Error(`the rule ${rule} has a target with ${input}, which timers do not know`);
  return textOf(target, "Arn");
}
