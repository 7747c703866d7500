import { CfnOutput } from "aws-cdk-lib";
import { AccessLogField, AccessLogFormat } from "aws-cdk-lib/aws-apigateway";
import {
  HttpApi,
  HttpMethod,
  HttpNoneAuthorizer,
  HttpRoute,
  HttpRouteKey,
  HttpStage,
  type IHttpRouteAuthorizer,
  LogGroupLogDestination,
} from "aws-cdk-lib/aws-apigatewayv2";
import { HttpIamAuthorizer, HttpJwtAuthorizer } from "aws-cdk-lib/aws-apigatewayv2-authorizers";
import { HttpLambdaIntegration } from "aws-cdk-lib/aws-apigatewayv2-integrations";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import type { AccessConfig } from "../config/schema.ts";
import { acknowledge } from "./allow.ts";
import type { ControlPlaneFunction } from "./control-plane-function.ts";
import { logGroupName, resourceName } from "./names.ts";

/** Far above what people and pipelines do, far below what would use up the account's functions. */
const requestsPerSecond = 500;
const requestsAtOnce = 1000;

/** What anyone may read; everything else below /v1 needs a caller. */
const openPaths = ["/healthz", "/openapi.json", "/docs"];

/**
 * Every request reaches the function, which answers unknown paths and methods itself (`application/problem+json`);
 * those routes carry no caller, and the function gives nothing to a caller it does not know. API Gateway itself
 * answers only what its authorizer refuses, what exceeds the rate and what exceeds its own limits of size.
 */
export class EnvironmentApi extends Construct {
  readonly apiId: string;

  constructor(
    scope: Construct,
    id: string,
    props: {
      readonly environment: string;
      readonly access: AccessConfig;
      readonly handler: ControlPlaneFunction;
    },
  ) {
    super(scope, id);
    const api = new HttpApi(this, "Api", {
      apiName: resourceName(props.environment, "api"),
      description: `pgherd, environment ${props.environment}`,
      createDefaultStage: false,
    });
    this.apiId = api.apiId;
    const integration = new HttpLambdaIntegration("Function", props.handler.function, {
      scopePermissionToRoute: false,
    });
    const open = new HttpNoneAuthorizer();
    const authorizer = makeAuthorizer(props.access);
    const addRoute = (routeId: string, routeKey: HttpRouteKey, authorizer_: IHttpRouteAuthorizer) =>
      new HttpRoute(this, routeId, { httpApi: api, routeKey, integration, authorizer: authorizer_ });
    addRoute("Versioned", HttpRouteKey.with("/v1/{proxy+}", HttpMethod.ANY), authorizer);
    for (const path of openPaths) {
      const route = addRoute(`Open${path}`, HttpRouteKey.with(path, HttpMethod.GET), open);
      acknowledge(
        route,
        "AwsSolutions-APIG4",
        "Says that the API is up and how it is used; nothing of any cluster.",
      );
    }
    const other = addRoute("Other", HttpRouteKey.DEFAULT, open);
    acknowledge(
      other,
      "AwsSolutions-APIG4",
      "Answers 404 and 405 as problem+json; everything else is below /v1.",
    );
    new HttpStage(this, "Stage", {
      httpApi: api,
      stageName: "$default",
      autoDeploy: true,
      throttle: { rateLimit: requestsPerSecond, burstLimit: requestsAtOnce },
      accessLogSettings: {
        destination: new LogGroupLogDestination(
          LogGroup.fromLogGroupName(this, "AccessLog", logGroupName(props.environment, "access")),
        ),
        format: AccessLogFormat.custom(accessLogLine),
      },
    });
    new CfnOutput(this, "Url", { value: api.apiEndpoint, description: "Address of the API" });
  }
}

/** One line per request. No header and no query is in it, so no token either. */
const accessLogLine = JSON.stringify({
  requestId: AccessLogField.contextRequestId(),
  at: AccessLogField.contextRequestTime(),
  sourceAddress: AccessLogField.contextIdentitySourceIp(),
  route: "$context.routeKey",
  path: AccessLogField.contextPath(),
  status: AccessLogField.contextStatus(),
  latencyMilliseconds: AccessLogField.contextResponseLatency(),
  error: AccessLogField.contextErrorMessage(),
  authorizerError: AccessLogField.contextAuthorizerError(),
});

function makeAuthorizer(access: AccessConfig): IHttpRouteAuthorizer {
  return access.kind === "iam"
    ? new HttpIamAuthorizer()
    : new HttpJwtAuthorizer("Jwt", access.issuer, { jwtAudience: access.audience });
}
