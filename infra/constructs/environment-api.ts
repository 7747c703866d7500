import { CfnOutput } from "aws-cdk-lib";
import { AccessLogField, AccessLogFormat } from "aws-cdk-lib/aws-apigateway";
import {
  CfnStage,
  DomainName,
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
import { Certificate } from "aws-cdk-lib/aws-certificatemanager";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import { ARecord, HostedZone, RecordTarget } from "aws-cdk-lib/aws-route53";
import { ApiGatewayv2DomainProperties } from "aws-cdk-lib/aws-route53-targets";
import { Construct } from "constructs";
import type { AccessConfig, ApiConfig } from "../config/schema.ts";
import { acknowledge } from "./allow.ts";
import type { ControlPlaneFunction } from "./control-plane-function.ts";
import { logGroupName, resourceName } from "./names.ts";

interface Throttle {
  readonly perSecond: number;
  readonly atOnce: number;
}
/** Consoles and pipelines poll what they watch; an answer is a read or two of the table. */
const readsThrottle: Throttle = { perSecond: 300, atOnce: 600 };
/** Each starts work of minutes on machines: far above what people do, far below what EC2 and SSM take from an account. */
const changesThrottle: Throttle = { perSecond: 20, atOnce: 50 };
/** Strangers may ask these, and take the function from nobody who may do more. */
const openThrottle: Throttle = { perSecond: 20, atOnce: 40 };

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
      readonly domain: ApiConfig["domain"];
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
    const routes: HttpRoute[] = [];
    const addRoute = (routeId: string, routeKey: HttpRouteKey, authorizer_: IHttpRouteAuthorizer) => {
      const route = new HttpRoute(this, routeId, {
        httpApi: api,
        routeKey,
        integration,
        authorizer: authorizer_,
      });
      routes.push(route);
      return route;
    };
    addRoute("Versioned", HttpRouteKey.with("/v1/{proxy+}", HttpMethod.ANY), authorizer);
    addRoute("Read", readKey, authorizer);
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
    const domain = props.domain === undefined ? undefined : this.#addDomain(props.domain);
    const stage = new HttpStage(this, "Stage", {
      httpApi: api,
      stageName: "$default",
      autoDeploy: true,
      throttle: { rateLimit: changesThrottle.perSecond, burstLimit: changesThrottle.atOnce },
      ...(domain === undefined ? {} : { domainMapping: { domainName: domain } }),
      accessLogSettings: {
        destination: new LogGroupLogDestination(
          LogGroup.fromLogGroupName(this, "AccessLog", logGroupName(props.environment, "access")),
        ),
        format: AccessLogFormat.custom(accessLogLine),
      },
    });
    this.#throttle(stage, routes);
    const address = props.domain === undefined ? api.apiEndpoint : `https://${props.domain.name}`;
    new CfnOutput(this, "Url", { value: address, description: "Address of the API" });
  }

  /** What is not named here is a change. */
  #throttle(stage: HttpStage, routes: readonly HttpRoute[]): void {
    const limits = new Map([
      [readKey.key, readsThrottle],
      ["$default", openThrottle],
      ...openPaths.map((path) => [`GET ${path}`, openThrottle] as const),
    ]);
    const settings = [...limits].map(([routeKey, { perSecond, atOnce }]) => [
      routeKey,
      { ThrottlingRateLimit: perSecond, ThrottlingBurstLimit: atOnce },
    ]);
    const part = stage.node.defaultChild;
    if (!(part instanceof CfnStage)) throw new Error("the stage of the HTTP API is made of something else");
    part.routeSettings = Object.fromEntries(settings);
    // API Gateway refuses limits of routes that are not there yet.
    stage.node.addDependency(...routes);
  }

  #addDomain({ certificateArn, hostedZone, name }: NonNullable<ApiConfig["domain"]>): DomainName {
    const domain = new DomainName(this, "Domain", {
      domainName: name,
      certificate: Certificate.fromCertificateArn(this, "Certificate", certificateArn),
    });
    if (hostedZone === undefined) {
      const description = "Where a CNAME record of the API's own name leads";
      new CfnOutput(this, "DomainTarget", { value: domain.regionalDomainName, description });
      return domain;
    }
    const zone = HostedZone.fromHostedZoneAttributes(this, "Zone", {
      hostedZoneId: hostedZone.id,
      zoneName: hostedZone.name,
    });
    const properties = new ApiGatewayv2DomainProperties(
      domain.regionalDomainName,
      domain.regionalHostedZoneId,
    );
    new ARecord(this, "Record", { zone, recordName: `${name}.`, target: RecordTarget.fromAlias(properties) });
    return domain;
  }
}

const readKey = HttpRouteKey.with("/v1/{proxy+}", HttpMethod.GET);

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
