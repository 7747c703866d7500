import type { ApiContext } from "../../functions/api/context.ts";
import { begin } from "../../functions/resources/cluster/begin.ts";
import { look } from "../../functions/resources/cluster/look.ts";
import { type CreateClusterBody, templateResourceTypes } from "../../layers/domain/index.ts";
import { createObserver } from "../../layers/runtime/observer.ts";
import { FakeRepositories } from "../api/support/repositories.ts";
import type { Cloud } from "./cloud.ts";
import type { ControlPlane } from "./control-plane.ts";

type Looked = Awaited<ReturnType<typeof look>>;

/** A resource of somebody's template, with what CloudFormation and the provider framework do with it. */
export class TemplateResource {
  readonly context: ApiContext;
  /** CloudFormation's clock, ahead of everybody's. */
  aheadMinutes = 0;
  #requests = 0;
  #physicalId: string | undefined;
  readonly #plane: ControlPlane;

  constructor(cloud: Cloud, plane: ControlPlane, physicalId?: string) {
    this.#plane = plane;
    this.#physicalId = physicalId;
    this.context = {
      settings: cloud.ports.settings,
      store: cloud.ports.store,
      executions: plane.executions,
      observer: createObserver(cloud.ports.commands),
      commands: cloud.ports.commands,
      repositories: new FakeRepositories(),
      compute: cloud.ports.compute,
      log: () => undefined,
    };
  }

  /** A request that CloudFormation has sent once; it is carried out when and as often as the test says. */
  request(
    type: "Create" | "Update" | "Delete",
    spec: CreateClusterBody,
    properties: { readonly IsLast?: "true" | "false" } = {},
  ): TemplateRequest {
    const Properties = { Spec: JSON.stringify(spec), Apply: "reload", IsLast: "true", ...properties };
    return this.#ask(type, templateResourceTypes.cluster, Properties);
  }

  wait(operationId: string, properties: { readonly IsLast: "true" | "false" }): TemplateRequest {
    return this.#ask("Update", templateResourceTypes.wait, { OperationId: operationId, ...properties });
  }

  removal(name: string, properties: { readonly IsLast: "true" | "false" }): TemplateRequest {
    return this.#ask("Delete", templateResourceTypes.removal, { Name: name, ...properties });
  }

  #ask(type: string, resourceType: string, properties: object): TemplateRequest {
    this.#requests += 1;
    const event = {
      RequestType: type,
      RequestId: `request-${this.#requests}`,
      StackId: "arn:aws:cloudformation:local-1:000000000000:stack/shop/5c3a",
      LogicalResourceId: "OrdersCluster",
      ResourceType: resourceType,
      ResourceProperties: { ServiceToken: "arn:aws:lambda:…", ServiceTimeout: "3600", ...properties },
      ...(this.#physicalId === undefined ? {} : { PhysicalResourceId: this.#physicalId }),
    };
    const world = { context: this.context, now: () => new Date(Date.now() + this.aheadMinutes * 60_000) };
    let begun: Awaited<ReturnType<typeof begin>> | undefined;
    return {
      begin: async () => {
        begun = await begin(world, event);
        this.#physicalId = begun.PhysicalResourceId;
        return begun.PhysicalResourceId;
      },
      look: () => look(world, { ...event, ...begun }),
      settle: () => this.#plane.settled(),
    };
  }

  /** As CloudFormation carries out a request: it sends it twice, and every look is taken twice. */
  async carryOut(request: TemplateRequest): Promise<Readonly<Record<string, string>>> {
    const ids = [await request.begin(), await request.begin()];
    if (ids[0] !== ids[1]) throw new Error(`the resource is ${ids.join(" and ")}`);
    for (;;) {
      await request.settle();
      const first = await request.look();
      const second = await request.look();
      if (first.IsComplete && JSON.stringify(first) !== JSON.stringify(second)) {
        throw new Error(`looked twice: ${JSON.stringify([first, second])}`);
      }
      if (second.IsComplete) return second.Data ?? {};
    }
  }
}

export interface TemplateRequest {
  begin(): Promise<string>;
  look(): Promise<Looked>;
  /** Everything that was started comes to its end. */
  settle(): Promise<void>;
}
