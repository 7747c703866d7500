import { secondsOfRate } from "../../lambda/timers.ts";
import type { ResourceType } from "../targets.ts";
import { listOf, optionalText, textOf } from "./properties.ts";

/** What calls functions: the HTTP API and timers. */
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
    make: (properties, { key }) => {
      const type = textOf(properties, "AuthorizerType");
      if (type !== "JWT") throw new Error(`the local HTTP API knows authorizers of type JWT, not ${type}`);
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
      collected.routes.push({ routeKey, integration, authorization: type === "JWT" ? "jwt" : "none" });
      return { ref: key, attributes: { RouteId: key } };
    },
  },
  "AWS::Events::Rule": {
    make: (properties, { key, targets, collected }) => {
      const name = optionalText(properties, "Name") ?? key.replace("/", "-");
      const everySeconds = secondsOfRate(textOf(properties, "ScheduleExpression"));
      if (optionalText(properties, "State") !== "DISABLED") {
        for (const target of listOf(properties, "Targets") as readonly { Arn: string; Id: string }[])
          collected.rules.push({ name: `${name}/${target.Id}`, everySeconds, target: target.Arn });
      }
      const arn = `arn:aws:events:${targets.region}:${targets.account}:rule/${name}`;
      return { ref: name, attributes: { Arn: arn } };
    },
  },
};
