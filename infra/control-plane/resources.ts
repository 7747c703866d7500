import type { Construct } from "constructs";
import type { OperationKind } from "../../layers/domain/operation/operation.ts";
import { ClusterProvider } from "../constructs/cluster-provider.ts";
import type { FunctionEnvironment } from "../constructs/control-plane-function.ts";
import type { Holdings, Workflows } from "./holdings.ts";

/** What a template can make of a cluster. */
const templated: readonly OperationKind[] = ["create-cluster", "converge-cluster", "delete-cluster"];

/** The functions of `functions/resources`: they make clusters that are resources of templates, as the API would. */
export function addClusterProvider(
  scope: Construct,
  environment: FunctionEnvironment,
  { table, fleet, secrets }: Holdings,
  workflows: Workflows,
): void {
  const sources = environment.build.functions.filter(({ kind }) => kind === "resource");
  const [begin, look] = ["begin-cluster", "await-cluster"].map((name) =>
    sources.find((source) => source.name === name),
  );
  if (begin === undefined || look === undefined) return;
  const provider = new ClusterProvider(scope, "ClusterProvider", { environment, begin, look });
  for (const handler of provider.functions) {
    table.grantReadWriteItems(handler);
    secrets.grantReadStoreKeys(handler);
    fleet.grantSeeSecurityGroups(handler);
    for (const kind of templated) workflows.get(kind)?.grantStart(handler);
  }
}
