import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { stageNames } from "../../infra/config/index.ts";
import { findStack, resourcesOf, type Stack, synthesizeAll } from "./support/synthesized.ts";

let stacks: readonly Stack[];
beforeAll(async () => {
  stacks = await synthesizeAll();
});

describe("the API", () => {
  test("asks for a caller below /v1 and lets the function answer everything else", () => {
    for (const stage of stageNames) {
      const routes = resourcesOf(findStack(stacks, stage, "ControlPlane"), "AWS::ApiGatewayV2::Route");
      const authorization = Object.fromEntries(
        routes.map(({ Properties: p }) => [p["RouteKey"], p["AuthorizationType"]]),
      );
      expect(authorization).toEqual({
        "GET /v1/{proxy+}": stage === "local" ? "JWT" : "AWS_IAM",
        "ANY /v1/{proxy+}": stage === "local" ? "JWT" : "AWS_IAM",
        "GET /healthz": "NONE",
        "GET /openapi.json": "NONE",
        "GET /docs": "NONE",
        $default: "NONE",
      });
    }
  });
});

describe("the API's limits", () => {
  test("are a route's own: strangers and changes get fewer calls than reads", () => {
    for (const stage of stageNames) {
      const stack = findStack(stacks, stage, "ControlPlane");
      const [found, ...more] = resourcesOf(stack, "AWS::ApiGatewayV2::Stage");
      expect(more).toEqual([]);
      const limits = z
        .record(z.string(), z.object({ ThrottlingRateLimit: z.number(), ThrottlingBurstLimit: z.number() }))
        .parse(found?.Properties["RouteSettings"]);
      const perSecond = (route: string) => limits[route]?.ThrottlingRateLimit ?? 0;
      expect(Object.keys(limits)).toEqual([
        "GET /v1/{proxy+}",
        "$default",
        "GET /healthz",
        "GET /openapi.json",
        "GET /docs",
      ]);
      expect(perSecond("GET /v1/{proxy+}")).toBeGreaterThan(perSecond("$default"));
      const routes = resourcesOf(stack, "AWS::ApiGatewayV2::Route").map(({ id }) => id);
      expect(found?.["DependsOn"]).toEqual(expect.arrayContaining(routes));
    }
  });
});
